"""Engagement: likes and comments. They are durable in PostgreSQL first, then counted in Redis, which may fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.bounds import LIKE_COUNT_SECONDS
from core.names import Component
from core.operations import COMMENT_ADD, COMMENT_LIST, LIKE_ADD, LIKE_REMOVE
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Deadline, Flow, OperationFlow, Where, WithBreaker, stage, steps, used_by
from sim.model.stores import postgres, published, redis

ENGAGEMENT: Final = Component.ENGAGEMENT
_own: Final = used_by(ENGAGEMENT)


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Engagement's operations. A like is one statement in autocommit; a fifth of the CPU goes into its later event."""
    parse = stage("parse", _own(0.30))
    found = {
        name: through_gateway(
            name,
            steps(
                arrive,
                stage("write", *written, _own(0.20)),
                stage("count", _own(0.10), _counted(), _own(0.10)),
                stage("present", _own(0.10)),
            ),
            behind=published(ENGAGEMENT, own=_own(0.20)),
        )
        for name, written, arrive in (
            (LIKE_ADD, (_written(trips=1.0),), _own(0.30)),
            (LIKE_REMOVE, (_written(trips=1.0),), _own(0.30)),
            # a comment's key is claimed on its author's shard before it is written on the post's
            (COMMENT_ADD, (_claimed(share=0.2), _written(trips=5.0, share=0.8)), parse),
        )
    }
    found[COMMENT_LIST] = through_gateway(
        COMMENT_LIST,
        steps(
            _own(0.3),
            stage("load", postgres(ENGAGEMENT, trips=2.0, where=Where.AUTHOR, role=READS)),
            stage("present", _own(0.7)),
        ),
        behind=NOTHING,
    )
    return found


def _claimed(*, share: float) -> Flow:
    return postgres(ENGAGEMENT, share=share, where=Where.PERSON, commits=True)


def _written(*, trips: float, share: float = 1.0) -> Flow:
    return postgres(ENGAGEMENT, trips=trips, share=share, where=Where.AUTHOR, commits=True)


def _counted() -> Flow:
    inner = Deadline(seconds=LIKE_COUNT_SECONDS, inner=redis(ENGAGEMENT, where=Where.COUNTER))
    return WithBreaker(dependency="engagement.counts", inner=inner, otherwise=NOTHING)
