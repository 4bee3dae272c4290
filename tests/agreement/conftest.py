"""A pair of runs with a known truth, created once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.compare import compare
from records.comparison import Comparison
from tests.agreement import synthetic


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair whose simulated feed reads take 0.8 × and likes 1.15 × the true time, with a report-ready comparison."""
    folder = tmp_path_factory.mktemp("runs") / "20261121-074812"
    synthetic.write_pair(folder, factor={"feed.read": 0.8, "like.add": 1.15})
    compare(folder)
    return folder


@pytest.fixture(scope="session")
def comparison(pair: Path) -> Comparison:
    """Its comparison."""
    from records.comparison import read_comparison

    return read_comparison(pair)
