"""Posts: one transaction with an outbox row; what follows (fan-out, cards, search) nobody waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Emit, Flow, OperationFlow, Stage, Use, Where, steps
from sim.model.stores import postgres, told

POSTS: Final = Component.POSTS


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The posts' operations. `post.create` loads and writes on one connection, in one transaction."""
    create = steps(
        Stage(name="parse", inner=_own(0.2)),
        Stage(name="load", inner=steps(_own(0.1), postgres(POSTS, share=0.4, trips=4.0))),
        Stage(name="write", inner=steps(_own(0.2), postgres(POSTS, share=0.6, trips=6.0, commits=True))),
        Stage(name="present", inner=_own(0.3)),
    )
    read = steps(
        _own(0.3),
        Stage(name="load", inner=postgres(POSTS, where=Where.AUTHOR, role=READS)),
        Stage(name="present", inner=_own(0.7)),
    )
    delete = steps(
        _own(0.4),
        Stage(name="write", inner=postgres(POSTS, trips=6.0, where=Where.AUTHOR, commits=True)),
        Stage(name="present", inner=_own(0.3)),
    )
    created = told(POSTS, own=_own(0.2), job="fanout.deliver", everywhere=True)
    deleted = steps(Emit(job="media.remove"), told(POSTS, own=_own(0.3)))
    return {
        "post.create": through_gateway("post.create", create, behind=created),
        "post.read": through_gateway("post.read", read, behind=NOTHING),
        "post.delete": through_gateway("post.delete", delete, behind=deleted),
        "user.posts": through_gateway("user.posts", read, behind=NOTHING, answer_bytes=20_000),
    }


def _own(share: float) -> Flow:
    return Use(process=POSTS, share=share)
