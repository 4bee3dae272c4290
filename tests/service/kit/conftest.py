"""Scenarios for the tests of the chassis."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.conftest import SCENARIO


@pytest.fixture(scope="package")
async def impatient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario whose clients give up early."""
    path = tmp_path_factory.mktemp("scenario") / "impatient.yaml"
    text = SCENARIO.read_text(encoding="utf-8")
    path.write_text(text.replace("  warm_up: 10s", "  timeout: 200ms\n  warm_up: 10s"), encoding="utf-8")
    return path


@pytest.fixture(scope="package")
async def without_admission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario whose services do not limit themselves by how long requests wait."""
    path = tmp_path_factory.mktemp("scenario") / "without.yaml"
    text = SCENARIO.read_text(encoding="utf-8")
    path.write_text(text.replace("\nsystem:\n", "\nsystem:\n  admission: off\n"), encoding="utf-8")
    return path
