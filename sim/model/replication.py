"""What a commit means for a database with replicas, as a piece of flow: who replays it, and who waits for that."""

from __future__ import annotations

from typing import Final

from core.names import Server
from core.scenario.shards import Replication
from sim.model.flow import NOTHING, Aside, Commit, Committed, Ending, Fail, Flow, Rescue, Use, Wait, steps

_FLUSHED: Final = Wait(station="postgres.commit")
#: What a commit wrote, on its way to a replica and into it.
SHIPPED: Final = "postgres.replication"


def flow_of(commit: Commit, *, nodes: int, regions: int, replication: Replication) -> Flow:
    """The flush, and with replicas (``nodes`` > 1) what each of them does; so do all nodes of other regions.

    Asynchronous ones follow behind. Of synchronous ones the first that is up applies it before it is acknowledged, and
    where none is the commit fails; other regions are always behind.
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
