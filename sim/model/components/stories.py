"""Stories: the tray comes from Redis in one round trip, however many accounts are followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.bounds import TRAY_CACHE_SECONDS
from core.names import Component
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Breaker, Deadline, Emit, Flow, OperationFlow, Stage, Use, steps
from sim.model.stores import every_postgres, every_redis, postgres, redis, told

STORIES: Final = Component.STORIES
#: How long a request waits for Redis before it turns to PostgreSQL.


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The stories' operations."""
    load = _shelf(
        every_redis(STORIES, answer_bytes=10_000),
        otherwise=steps(postgres(STORIES, share=0.3, role=READS), every_postgres(STORIES, share=0.7)),
    )
    write = _shelf(redis(STORIES, answer_bytes=10_000))
    tray = steps(
        _own(0.3),
        Stage(name="load", inner=steps(load, _own(0.3))),
        Stage(name="rules", inner=_own(0.1)),
        Stage(name="present", inner=_own(0.3)),
    )
    create = steps(
        Stage(name="parse", inner=_own(0.2)),
        Stage(name="load", inner=_own(0.1)),
        Stage(name="write", inner=steps(_own(0.2), postgres(STORIES, trips=5.0, commits=True), write)),
        Stage(name="present", inner=_own(0.2)),
    )
    seen = steps(
        _own(0.4),
        Stage(name="write", inner=steps(postgres(STORIES, trips=2.0, commits=True), write)),
        Stage(name="present", inner=_own(0.6)),
    )
    delete = steps(
        _own(0.4),
        Stage(name="write", inner=steps(postgres(STORIES, trips=7.0, commits=True), write)),
        Stage(name="present", inner=_own(0.3)),
    )
    return {
        "story.tray": through_gateway("story.tray", tray, behind=NOTHING, answer_bytes=10_000),
        "story.create": through_gateway("story.create", create, behind=told(STORIES, own=_own(0.3))),
        "story.delete": through_gateway(
            "story.delete", delete, behind=steps(Emit(job="media.remove"), told(STORIES, own=_own(0.3)))
        ),
        "story.seen": through_gateway("story.seen", seen, behind=NOTHING),
    }


def _shelf(asked: Flow, *, otherwise: Flow = NOTHING) -> Flow:
    inner = Deadline(seconds=TRAY_CACHE_SECONDS, inner=asked)
    return Breaker(dependency="stories.shelf", inner=inner, otherwise=otherwise)


def _own(share: float) -> Flow:
    return Use(process=STORIES, share=share)
