"""The examples of `docs/MODEL.md` run unchanged, print what the document says, and agree with theory."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "MODEL.md"
_EXAMPLE = re.compile(r"```python\n(from sim\.network .*?)```\n```\n(.*?)```\n", re.DOTALL)
LINES_MAX = (10, 25)


def _examples() -> list[tuple[str, str]]:
    return _EXAMPLE.findall(DOCUMENT.read_text(encoding="utf-8"))


def _run(code: str) -> tuple[str, dict[str, Any]]:
    """What an example prints, and its names."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, str(DOCUMENT), "exec"), names)
    return printed.getvalue(), names


def test_there_are_as_many_examples_as_are_tested() -> None:
    assert len(_examples()) == len(LINES_MAX)


@pytest.mark.parametrize("number", range(len(LINES_MAX)))
def test_an_example_is_short_and_prints_what_the_document_says(number: int) -> None:
    code, stored = _examples()[number]
    assert len([line for line in code.splitlines() if line.strip()]) <= LINES_MAX[number]
    assert _run(code)[0] == stored


def test_the_queue_of_the_example_agrees_with_theory() -> None:
    printed, names = _run(_examples()[0][0])
    mean_ms = float(re.search(r"job +[\d,]+ +([\d.]+) ms", printed).group(1))  # type: ignore[union-attr]
    assert mean_ms == pytest.approx(1000.0 / (100.0 - 80.0), rel=0.08)
    assert names["server"].tally.inside == 0
