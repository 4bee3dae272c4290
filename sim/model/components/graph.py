"""Graph: follow and unfollow are written in both directions; lists and profiles are read from one shard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.operations import GRAPH_FOLLOW, GRAPH_FOLLOWERS, GRAPH_FOLLOWING, GRAPH_UNFOLLOW, USER_READ
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Flow, OperationFlow, Stage, Use, Where, steps
from sim.model.stores import postgres, published, redis

GRAPH: Final = Component.GRAPH


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The graph's operations."""
    write = Stage(
        name="write",
        inner=steps(
            _own(0.2),
            postgres(GRAPH, share=0.5, trips=4.0, commits=True),
            postgres(GRAPH, share=0.5, trips=3.0, where=Where.AUTHOR, commits=True),
            redis(GRAPH),
        ),
    )
    follow = steps(_own(0.3), Stage(name="load", inner=_own(0.1)), write, Stage(name="present", inner=_own(0.2)))
    unfollow = steps(_own(0.3), write, Stage(name="present", inner=_own(0.3)))
    found = {
        GRAPH_FOLLOW: through_gateway(GRAPH_FOLLOW, follow, behind=published(GRAPH, own=_own(0.2))),
        GRAPH_UNFOLLOW: through_gateway(GRAPH_UNFOLLOW, unfollow, behind=published(GRAPH, own=_own(0.2))),
    }
    for name in (USER_READ, GRAPH_FOLLOWERS, GRAPH_FOLLOWING):
        load = Stage(name="load", inner=postgres(GRAPH, trips=2.0, where=Where.AUTHOR, role=READS))
        found[name] = through_gateway(
            name, steps(_own(0.3), load, Stage(name="present", inner=_own(0.7))), behind=NOTHING
        )
    return found


def _own(share: float) -> Flow:
    return Use(process=GRAPH, share=share)
