"""Writes the report of a pair folder from its comparison and its two runs."""

from __future__ import annotations

from pathlib import Path

from core.names import Origin
from core.run import NotARunError, Run
from lab.report.content import content
from present import document
from records import run
from records.comparison import read_comparison

HTML_FILE = "report.html"
MARKDOWN_FILE = "report.md"


def write(pair_folder: Path) -> Path:
    """Write ``report.html`` and ``report.md`` into the pair folder; returns the page's path.

    Needs ``comparison.json`` (`lab.compare.compare`); raises NoComparisonError without one.
    """
    comparison = read_comparison(pair_folder)
    runs: dict[Origin, Run] = {}
    text = ""
    for origin in (Origin.SIMULATED, Origin.MEASURED):
        try:
            runs[origin] = run.read(pair_folder / origin.value)
        except NotARunError:
            continue  # the comparison says why this side is missing
        text = (pair_folder / origin.value / "scenario.yaml").read_text(encoding="utf-8")
    report = content(comparison, runs, text)
    for name in (HTML_FILE, MARKDOWN_FILE):
        document.write(report, pair_folder / name)
    return pair_folder / HTML_FILE
