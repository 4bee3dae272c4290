"""The report as one HTML file: styles and charts inside, nothing is fetched, light or dark as the reader has it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.palette import DARK, LIGHT, Palette
from lab.report.parts import Report

#: A report may be mailed and kept: it is never larger.
BYTES_MAX: Final = 1_000_000

_TEMPLATE: Final = Path(__file__).with_name("page.html.j2")


def render(report: Report) -> str:
    """The whole as a page; where it would be larger than BYTES_MAX the charts' data is left out, and it says so."""
    page = _render(report, with_data=True)
    return page if len(page.encode()) <= BYTES_MAX else _render(report, with_data=False)


def _render(report: Report, *, with_data: bool) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(report=report, light=_variables(LIGHT), dark=_variables(DARK), with_data=with_data)


def _variables(palette: Palette) -> str:
    names = ("measured", "simulated", "stated", "missed", "ink", "grid", "paper")
    return " ".join(f"--{name}: {getattr(palette, name)};" for name in names)
