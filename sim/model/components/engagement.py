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
    """Engagement's operations. A like is one statement in autocommit. Shares of the service's CPU (docs/MODEL.md says
    how they were measured): arrive 20 %, write 37 %, count 22 %, present 1 %, the answer 10 %, its later event 10 %."""
    parse = steps(_own(0.17), stage("parse", _own(0.03)))
    found = {
        name: through_gateway(
            name,
            steps(
                arrive,
                stage("write", _own(0.17), *written, _own(0.20)),
                stage("count", _own(0.10), _counted(), _own(0.12)),
                stage("present", _own(0.01)),
                _own(0.10),
            ),
            behind=published(ENGAGEMENT, own=_own(0.10)),
        )
        for name, written, arrive in (
            (LIKE_ADD, (_written(trips=1.0),), _own(0.20)),
            (LIKE_REMOVE, (_written(trips=1.0),), _own(0.20)),
            # a comment's key is claimed on its author's shard before it is written on the post's
            (COMMENT_ADD, (_claimed(share=0.2), _written(trips=5.0, share=0.8)), parse),
        )
    }
    found[COMMENT_LIST] = through_gateway(
        COMMENT_LIST,
        steps(
            _own(0.3),
            stage("load", _own(0.2), postgres(ENGAGEMENT, trips=2.0, where=Where.AUTHOR, role=READS), _own(0.2)),
            stage("present", _own(0.07)),
            _own(0.16),
        ),
        behind=_own(0.07),
    )
    return found


def _claimed(*, share: float) -> Flow:
    return postgres(ENGAGEMENT, share=share, where=Where.PERSON, commits=True)


def _written(*, trips: float, share: float = 1.0) -> Flow:
    return postgres(ENGAGEMENT, trips=trips, share=share, where=Where.AUTHOR, commits=True)


def _counted() -> Flow:
    inner = Deadline(seconds=LIKE_COUNT_SECONDS, inner=redis(ENGAGEMENT, where=Where.COUNTER))
    return WithBreaker(dependency="engagement.counts", inner=inner, otherwise=NOTHING)
