"""The flow of a commit on a database with replicas: which nodes replay it, and whether the commit waits for them."""

from __future__ import annotations

from typing import Final

from core.names import Server
from core.scenario.shards import Replication
from sim.model.flow import NOTHING, Aside, Commit, Committed, Ending, Fail, Flow, Rescue, Use, Wait, steps

_FLUSHED: Final = Wait(station="postgres.commit")
#: The transfer of a commit to a replica and its application there.
SHIPPED: Final = "postgres.replication"


def flow_of(commit: Commit, *, nodes: int, regions: int, replication: Replication) -> Flow:
    """The flush and, with replicas (``nodes`` > 1) or other ``regions``, the replay on each of their nodes.

    Asynchronous replicas replay later. With synchronous replicas, the first one that is up applies the commit before it
    is acknowledged, and the commit fails if none is up. Other regions always replay later.
    """
    if nodes == 1 and regions == 1:
        return _FLUSHED
    shipped = Wait(station=SHIPPED)
    replays = [_replay(commit, replication, role=role) for role in range(1, nodes)]
    abroad = [
        Aside(
            inner=steps(
                Wait(station=SHIPPED, home=commit.home, hop=hop),
                _counted(commit, -1, hop=hop),
                *(_replay(commit, replication, role=role, hop=hop) for role in range(nodes)),
            )
        )
        for hop in range(1, regions)
    ]
    if replication.mode == "asynchronous":
        behind = [
            Aside(inner=steps(shipped, _counted(commit, -1) if not number else NOTHING, replay))
            for number, replay in enumerate(replays)
        ]
        return steps(_FLUSHED, _counted(commit, 1), *behind, *abroad)
    applied: Flow = Fail(ending=Ending.UNAVAILABLE)
    for replay in reversed(replays):
        applied = Rescue(inner=steps(replay, shipped), otherwise=applied)
    others = [Aside(inner=steps(shipped, replay)) for replay in replays[1:]]
    return steps(_FLUSHED, applied if replays else NOTHING, _counted(commit, 0), *others, *abroad)


def _replay(commit: Commit, replication: Replication, *, role: int, hop: int = 0) -> Use:
    share = commit.share * replication.replay_ratio
    return Use(process=Server.POSTGRES, share=share, where=commit.where, role=role, home=commit.home, hop=hop)


def _counted(commit: Commit, count: int, *, hop: int = 0) -> Committed:
    return Committed(where=commit.where, count=count, home=commit.home, hop=hop)
