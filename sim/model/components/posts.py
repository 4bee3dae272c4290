"""Posts: one transaction with an outbox row; what follows (fan-out, cards, search) nobody waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.operations import FANOUT_DELIVER, MEDIA_REMOVE, POST_CREATE, POST_DELETE, POST_READ, USER_POSTS
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Emit, Flow, OperationFlow, Stage, Use, Where, steps
from sim.model.stores import postgres, published

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
    created = published(POSTS, own=_own(0.2), job=FANOUT_DELIVER, everywhere=True)
    deleted = steps(Emit(job=MEDIA_REMOVE), published(POSTS, own=_own(0.3)))
    return {
        POST_CREATE: through_gateway(POST_CREATE, create, behind=created),
        POST_READ: through_gateway(POST_READ, read, behind=NOTHING),
        POST_DELETE: through_gateway(POST_DELETE, delete, behind=deleted),
        USER_POSTS: through_gateway(USER_POSTS, read, behind=NOTHING, answer_bytes=20_000),
    }


def _own(share: float) -> Flow:
    return Use(process=POSTS, share=share)
