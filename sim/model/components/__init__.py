"""One module for each component: the flows of its operations. Names are those of the services.

Discovery and ads have no operations: nobody calls them. Their work for other components' operations is part of these
operations' calibrated demands; the rest of their work is idle work.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.scenario import Scenario
from sim.model.components import auth, cdn, engagement, fanout, feed, graph, media, posts, search, stories, upload
from sim.model.flow import OperationFlow

COMPONENTS = (auth, graph, upload, media, posts, fanout, feed, engagement, stories, search, cdn)


def all_flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Flow of every operation and background job."""
    return {name: flow for component in COMPONENTS for name, flow in component.flows(scenario).items()}
