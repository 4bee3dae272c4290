"""Posts: one transaction with an outbox row; no client waits for the rest (fan-out, cards, search)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.bounds import OUTBOX_HANDLED_SECONDS
from core.names import Component
from core.operations import FANOUT_DELIVER, MEDIA_REMOVE, POST_CREATE, POST_DELETE, POST_READ, USER_POSTS
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import READS, BacklogLimit, Emit, OperationFlow, Where, stage, steps, used_by
from sim.model.stores import postgres, published

POSTS: Final = Component.POSTS
_own: Final = used_by(POSTS)


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The posts' operations. `post.create` loads and writes on one connection, in one transaction. Half of its CPU, in
    the service and in PostgreSQL, goes into the event that is relayed later; for the shares see docs/MODEL.md."""
    create = steps(
        _own(0.08),
        stage("parse", _own(0.02)),
        BacklogLimit(job=FANOUT_DELIVER, standing_seconds=OUTBOX_HANDLED_SECONDS),
        stage("load", _own(0.09), postgres(POSTS, share=0.25, trips=4.0)),
        stage("write", _own(0.11), postgres(POSTS, share=0.35, trips=6.0, commits=True)),
        stage("present", _own(0.01)),
        _own(0.17),
    )
    read = steps(
        _own(0.3),
        stage("load", _own(0.2), postgres(POSTS, where=Where.AUTHOR, role=READS), _own(0.2)),
        stage("present", _own(0.07)),
        _own(0.16),
    )
    delete = steps(
        _own(0.2),
        stage("write", _own(0.15), postgres(POSTS, trips=6.0, where=Where.AUTHOR, commits=True), _own(0.15)),
        stage("present", _own(0.01)),
        _own(0.19),
    )
    relayed = steps(postgres(POSTS, share=0.20, where=Where.AUTHOR), _own(0.26))
    cleared = steps(postgres(POSTS, share=0.20, where=Where.AUTHOR), _own(0.26))
    created = published(POSTS, own=relayed, cleared=cleared, job=FANOUT_DELIVER, everywhere=True)
    deleted = steps(Emit(job=MEDIA_REMOVE), published(POSTS, own=_own(0.3)))
    return {
        POST_CREATE: through_gateway(POST_CREATE, create, behind=created),
        POST_READ: through_gateway(POST_READ, read, behind=_own(0.07)),
        POST_DELETE: through_gateway(POST_DELETE, delete, behind=deleted),
        USER_POSTS: through_gateway(USER_POSTS, read, behind=_own(0.07), answer_bytes=20_000),
    }
