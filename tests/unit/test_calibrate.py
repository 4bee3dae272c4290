"""Calibration without a stack: what its points are asked to do."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import pytest

from core.scenario import read
from lab import calibrate

SMALL = Path(__file__).parents[2] / "scenarios" / "viral_post_small.yaml"


def test_no_two_points_do_the_same_acts_again_not_even_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float, int]] = []

    def point(*given: Any, seconds: float, expected: object) -> calibrate.Point:
        seeds = next(each for each in given if isinstance(each, itertools.count))
        name, rate = given[-2:]
        asked.append((name, rate, next(seeds)))
        if name == "post.create" and rate == 30.0:  # more than this machine carries
            raise calibrate._OverloadError("post.create")
        return calibrate.Point(operation=name, rate_per_second=rate, cpu_seconds={}, variation=0.5, count=1)

    monkeypatch.setattr(calibrate, "_point", point)
    monkeypatch.setattr(calibrate, "_settle", lambda *_: None)
    monkeypatch.setattr(calibrate, "_cut", lambda _: contextlib.nullcontext())
    found = calibrate._points(read(SMALL), SMALL, None, SMALL, {}, 6.0)  # type: ignore[arg-type]
    seeds = [seed for _, _, seed in asked]
    assert len(set(seeds)) == len(seeds) == len(found) + 1
    assert read(SMALL).seed not in seeds  # the run's own
    assert ("post.create", 20.0) in {(name, rate) for name, rate, _ in asked}
    assert {each.operation for each in found} == {*calibrate.RATES, "feed.read/degraded"}
