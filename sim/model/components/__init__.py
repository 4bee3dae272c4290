"""One module for each component: the flows of its operations. Names are those of the services.

Discovery and ads have none: nobody calls them. What they do behind others' operations is in those operations'
calibrated demands, and what they do all by themselves is idle work.
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
