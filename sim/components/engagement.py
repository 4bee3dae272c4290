"""Engagement: likes and comments. Durable in PostgreSQL first, then counted in Redis, which no answer needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.scenario import Scenario
from sim.components.gateway import through_gateway
from sim.flow import NOTHING, READS, Breaker, Deadline, Flow, OperationFlow, Stage, Use, Where, steps
from sim.stores import postgres, redis, told

ENGAGEMENT: Final = Component.ENGAGEMENT
#: How long an acknowledged write waits for Redis to be told.
_COUNT_SECONDS: Final = 0.1


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Engagement's operations. A like is one statement in autocommit; a fifth of the CPU goes into its event, later."""
    found = {
        name: through_gateway(
            name,
            steps(
                arrive,
                Stage(name="write", inner=steps(_written(trips=trips), _own(0.20))),
                Stage(name="count", inner=steps(_own(0.10), _counted(), _own(0.10))),
                Stage(name="present", inner=_own(0.10)),
            ),
            behind=told(ENGAGEMENT, own=_own(0.20)),
        )
        for name, trips, arrive in (
            ("like.add", 1.0, _own(0.30)),
            ("like.remove", 1.0, _own(0.30)),
            ("comment.add", 5.0, Stage(name="parse", inner=_own(0.30))),
        )
    }
    found["comment.list"] = through_gateway(
        "comment.list",
        steps(
            _own(0.3),
            Stage(name="load", inner=postgres(ENGAGEMENT, trips=2.0, where=Where.AUTHOR, role=READS)),
            Stage(name="present", inner=_own(0.7)),
        ),
        behind=NOTHING,
    )
    return found


def _own(share: float) -> Flow:
    return Use(process=ENGAGEMENT, share=share)


def _written(*, trips: float) -> Flow:
    return postgres(ENGAGEMENT, trips=trips, where=Where.AUTHOR, commits=True)


def _counted() -> Flow:
    inner = Deadline(seconds=_COUNT_SECONDS, inner=redis(ENGAGEMENT, where=Where.COUNTER))
    return Breaker(dependency="engagement.counts", inner=inner, otherwise=NOTHING)
