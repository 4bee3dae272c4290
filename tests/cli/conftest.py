"""Fixtures for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.profile import encode
from tests.model import synthetic


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A profile's file."""
    path = tmp_path / "profile.json"
    path.write_bytes(encode(synthetic.profile()))
    return path
