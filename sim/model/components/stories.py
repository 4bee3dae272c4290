"""Stories: the tray comes from Redis in one round trip, regardless of the number of followees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.bounds import TRAY_CACHE_SECONDS
from core.names import Component
from core.operations import MEDIA_REMOVE, STORY_CREATE, STORY_DELETE, STORY_SEEN, STORY_TRAY
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Deadline, Emit, Flow, OperationFlow, WithBreaker, stage, steps, used_by
from sim.model.stores import every_postgres, every_redis, postgres, published, redis

STORIES: Final = Component.STORIES
_own: Final = used_by(STORIES)


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The stories' operations; for the shares see docs/MODEL.md."""
    load = _cached_tray(
        every_redis(STORIES, answer_bytes=10_000),
        otherwise=steps(postgres(STORIES, share=0.3, role=READS), every_postgres(STORIES, share=0.7)),
    )
    write = _cached_tray(redis(STORIES, answer_bytes=10_000))
    tray = steps(
        _own(0.28),
        stage("load", _own(0.16), load, _own(0.22)),
        stage("rules", _own(0.05)),
        stage("present", _own(0.06)),
        _own(0.15),
    )
    create = steps(
        _own(0.08),
        stage("parse", _own(0.02)),
        stage("load", _own(0.01)),
        stage("write", _own(0.30), postgres(STORIES, trips=5.0, commits=True), _own(0.28), write),
        stage("present", _own(0.01)),
        _own(0.08),
    )
    seen = steps(
        _own(0.25),
        stage("write", _own(0.28), postgres(STORIES, trips=2.0, commits=True), _own(0.27), write),
        stage("present", _own(0.01)),
        _own(0.13),
    )
    delete = steps(
        _own(0.15),
        stage("write", _own(0.25), postgres(STORIES, trips=7.0, commits=True), _own(0.25), write),
        stage("present", _own(0.01)),
        _own(0.12),
    )
    return {
        STORY_TRAY: through_gateway(STORY_TRAY, tray, behind=_own(0.08), answer_bytes=10_000),
        STORY_CREATE: through_gateway(STORY_CREATE, create, behind=published(STORIES, own=_own(0.22))),
        STORY_DELETE: through_gateway(
            STORY_DELETE, delete, behind=steps(Emit(job=MEDIA_REMOVE), published(STORIES, own=_own(0.22)))
        ),
        STORY_SEEN: through_gateway(STORY_SEEN, seen, behind=_own(0.06)),
    }


def _cached_tray(asked: Flow, *, otherwise: Flow = NOTHING) -> Flow:
    inner = Deadline(seconds=TRAY_CACHE_SECONDS, inner=asked)
    return WithBreaker(dependency="stories.tray", inner=inner, otherwise=otherwise)
