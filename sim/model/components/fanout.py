"""Fan-out: a new post is written to followers' timelines, unless its author is a celebrity whose posts readers pull.

`core.policies.fanout` decides, as in the service. This flow has the work that is proportional to the timelines written,
in each store: followers are read from PostgreSQL, timelines written to Redis. The fixed cost of a fan-out is part of
`post.create`, behind its answer.
Posts of one author keep their order: they are in one partition, which is handled in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component, Server, link
from core.operations import FANOUT_DELIVER
from core.scenario import Scenario
from sim.model.flow import (
    NOTHING,
    READS,
    Decide,
    Each,
    Keyed,
    OperationFlow,
    Per,
    Policy,
    RemoteCall,
    Use,
    Where,
    steps,
)
from sim.model.stores import consumed, postgres

FANOUT: Final = Component.FANOUT


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The job behind a new post."""
    node = Use(process=Server.REDIS, where=Where.EACH, per=Per.PUSH)
    write = Each(process=Server.REDIS, inner=RemoteCall(link=link(FANOUT, Server.REDIS), inner=node))
    followers = postgres(FANOUT, where=Where.AUTHOR, role=READS, per=Per.PUSH)
    own = Use(process=FANOUT, share=0.5, per=Per.PUSH)
    push = steps(followers, own, write, own)
    deliver = consumed(FANOUT, Decide(policy=Policy.FANOUT, cases=(push, NOTHING)))
    return {FANOUT_DELIVER: OperationFlow(front=deliver, keyed=Keyed.AUTHOR)}
