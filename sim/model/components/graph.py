"""Graph: follow and unfollow are written in both directions; lists and profiles are read from one shard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.operations import GRAPH_FOLLOW, GRAPH_FOLLOWERS, GRAPH_FOLLOWING, GRAPH_UNFOLLOW, USER_READ
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import READS, Flow, OperationFlow, Where, stage, steps, used_by
from sim.model.stores import postgres, published, redis

GRAPH: Final = Component.GRAPH
_own: Final = used_by(GRAPH)


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The graph's operations; for the shares see docs/MODEL.md."""

    def written(each: float) -> Flow:
        """On the follower's shard, then on the followee's: ``each`` of PostgreSQL's CPU."""
        return stage(
            "write",
            _own(0.16),
            postgres(GRAPH, share=each, trips=4.0, commits=True),
            _own(0.16),
            postgres(GRAPH, share=each, trips=3.0, where=Where.AUTHOR, commits=True),
            _own(0.16),
            redis(GRAPH),
        )

    known = stage("load", _own(0.04), postgres(GRAPH, share=0.1, where=Where.AUTHOR), _own(0.04))
    follow = steps(_own(0.12), known, written(0.45), stage("present", _own(0.01)), _own(0.07))
    unfollow = steps(_own(0.12), written(0.5), stage("present", _own(0.01)), _own(0.15))
    found = {
        GRAPH_FOLLOW: through_gateway(GRAPH_FOLLOW, follow, behind=published(GRAPH, own=_own(0.24))),
        GRAPH_UNFOLLOW: through_gateway(GRAPH_UNFOLLOW, unfollow, behind=published(GRAPH, own=_own(0.24))),
    }
    for name in (USER_READ, GRAPH_FOLLOWERS, GRAPH_FOLLOWING):
        load = stage("load", _own(0.2), postgres(GRAPH, trips=2.0, where=Where.AUTHOR, role=READS), _own(0.2))
        read = steps(_own(0.3), load, stage("present", _own(0.03)), _own(0.20))
        found[name] = through_gateway(name, read, behind=_own(0.07))
    return found
