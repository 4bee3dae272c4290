"""Fixtures of the planner's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.profile import Profile, decode
from planning.cost.prices import PriceBook
from tests.planner import made

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def book() -> PriceBook:
    """The price book."""
    return made.book()


@pytest.fixture(scope="session")
def shipped() -> Profile:
    """The calibration that comes with the code."""
    (path,) = (ROOT / "scenarios" / "calibration").glob("*.json")
    return decode(path.read_bytes())
