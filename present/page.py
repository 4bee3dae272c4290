"""The report as one HTML file: styles and charts inside, nothing is fetched, light or dark as the reader has it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from present.palette import DARK, LIGHT, Palette
from present.parts import Report

if TYPE_CHECKING:
    from markupsafe import Markup

#: A report may be mailed and kept: it is never larger.
BYTES_MAX: Final = 1_000_000

_JOINT: Final = re.compile(r"(?<=[a-z0-9])[._](?=[a-z])")
_TEMPLATE: Final = Path(__file__).with_name("page.html.j2")


def render(report: Report) -> str:
    """The whole as a page; where it would be larger than BYTES_MAX the charts' data is left out, and it says so."""
    page = _render(report, with_data=True)
    return page if len(page.encode()) <= BYTES_MAX else _render(report, with_data=False)


def _render(report: Report, *, with_data: bool) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"breakable": _breakable, "bracketed": _bracketed}
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(report=report, light=_variables(LIGHT), dark=_variables(DARK), with_data=with_data)


def _breakable(text: str) -> Markup:
    """Names such as ``system.feed.mix.followed`` may be broken behind a dot or an underscore, so that a table fits."""
    from markupsafe import Markup, escape

    return Markup(_JOINT.sub(r"\g<0><wbr>", str(escape(text))))


def _bracketed(text: str) -> Markup:
    """``212 [198–231] ms`` may be broken before the interval and nowhere in it."""
    from markupsafe import Markup

    first, _, rest = text.partition(" [")
    return Markup("{} <span>[{}</span>").format(first, rest)


def _variables(palette: Palette) -> str:
    names = ("measured", "simulated", "stated", "missed", "ink", "grid", "paper")
    return " ".join(f"--{name}: {getattr(palette, name)};" for name in names)
