"""Waits for an effect of another process by polling; fails when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
#: Far above what anything takes on a busy machine; a test that passes never waits for it.
SECONDS_MAX = 120.0


def until(look: Callable[[], T], what: str = "", *, within_seconds: float = SECONDS_MAX) -> T:
    """Wait until ``look()`` gives something true, which is returned; ``what`` is the message on failure."""
    deadline = time.monotonic() + within_seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {within_seconds:g} s in vain, seen last: {seen!r}. {what}")
        time.sleep(0.02)
    return seen
