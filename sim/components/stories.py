"""Stories: the tray comes from Redis in one round trip, however many accounts are followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.scenario import Scenario
from sim.components.gateway import through_gateway
from sim.flow import NOTHING, Flow, Mark, OperationFlow, Rescue, Stage, Use, steps
from sim.stores import every_postgres, postgres, redis

STORIES: Final = Component.STORIES


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The stories' operations."""
    load = Rescue(inner=redis(STORIES), otherwise=steps(Mark(reason="tray"), every_postgres(STORIES, share=1.0)))
    tray = steps(
        _own(0.3),
        Stage(name="load", inner=steps(load, _own(0.3))),
        Stage(name="rules", inner=_own(0.1)),
        Stage(name="present", inner=_own(0.3)),
    )
    create = steps(
        Stage(name="parse", inner=_own(0.2)),
        Stage(name="load", inner=postgres(STORIES, share=0.3, trips=2.0)),
        Stage(name="write", inner=steps(_own(0.3), postgres(STORIES, share=0.7, trips=3.0, commits=True))),
        Stage(name="present", inner=_own(0.2)),
    )
    seen = steps(
        _own(0.4),
        Stage(name="write", inner=steps(redis(STORIES), postgres(STORIES, commits=True))),
        Stage(name="present", inner=_own(0.6)),
    )
    return {
        "story.tray": through_gateway("story.tray", tray, behind=NOTHING, answer_bytes=10_000),
        "story.create": through_gateway("story.create", create, behind=steps(_own(0.3), redis(STORIES))),
        "story.seen": through_gateway("story.seen", seen, behind=NOTHING),
    }


def _own(share: float) -> Flow:
    return Use(process=STORIES, share=share)
