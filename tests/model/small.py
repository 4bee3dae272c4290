"""A small scenario of a few seconds, from which each test changes what it is about."""

from __future__ import annotations

from typing import Any

import yaml

from core.scenario import Scenario, parse

MIX = {
    "feed.read": "50%",
    "like.add": "20%",
    "image.read": "15%",
    "story.tray": "6%",
    "search.users": "4%",
    "media.upload": "5%",
}


def text(
    *,
    seed: int = 7,
    rate: str = "40/s",
    duration: str = "6s",
    mix: dict[str, str] | None = None,
    faults: list[dict[str, Any]] | None = None,
    viral: dict[str, Any] | None = None,
    timeout: str = "5s",
    **system: Any,
) -> str:
    """The scenario's YAML."""
    traffic: dict[str, Any] = {
        "warm_up": "1s",
        "duration": duration,
        "rate": rate,
        "mix": mix or MIX,
        "timeout": timeout,
    }
    if viral is not None:
        traffic["viral"] = viral
    return yaml.safe_dump(
        {
            "scenario": "small",
            "seed": seed,
            "population": {"people": 200, "follows": {"mean": 10, "maximum": 100}},
            "system": {"fanout": {"threshold": 60}, **system},
            "traffic": traffic,
            "faults": faults or [],
        }
    )


def scenario(**changes: Any) -> Scenario:
    """The scenario read."""
    return parse(text(**changes))
