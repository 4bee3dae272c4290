"""What a commit means for a database with replicas, as a piece of flow: who replays it, and who waits for that."""

from __future__ import annotations

from typing import Final

from core.names import Server
from core.scenario.shards import Replication
from sim.flow import NOTHING, Aside, Commit, Committed, Delay, Ending, Fail, Flow, Rescue, Use, steps

_FLUSHED: Final = Delay(station="postgres.commit")
#: What a commit wrote, on its way to a replica and into it.
SHIPPED: Final = "postgres.replication"


def flow_of(commit: Commit, *, nodes: int, replication: Replication) -> Flow:
    """The flush, and with replicas (``nodes`` > 1) what each of them does.

    Asynchronous ones follow behind. Of synchronous ones the first that is up applies it before it is acknowledged, and
    where none is the commit fails.
    """
    if nodes == 1:
        return _FLUSHED
    replays = [
        Use(process=Server.POSTGRES, share=commit.share * replication.replay_ratio, where=commit.where, role=role)
        for role in range(1, nodes)
    ]
    shipped = Delay(station=SHIPPED)
    if replication.mode == "asynchronous":
        behind = [
            Aside(inner=steps(shipped, Committed(where=commit.where, size=-1) if not number else NOTHING, replay))
            for number, replay in enumerate(replays)
        ]
        return steps(_FLUSHED, Committed(where=commit.where, size=1), *behind)
    applied: Flow = Fail(ending=Ending.UNAVAILABLE)
    for replay in reversed(replays):
        applied = Rescue(inner=steps(replay, shipped), otherwise=applied)
    others = [Aside(inner=steps(shipped, replay)) for replay in replays[1:]]
    return steps(_FLUSHED, applied, Committed(where=commit.where, size=0), *others)
