"""The report as one self-contained HTML file with styles and charts, in a light and a dark theme."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from present.palette import DARK, LIGHT, Palette
from present.parts import Report

if TYPE_CHECKING:
    from markupsafe import Markup

#: Largest size of a report, so that it can be mailed.
BYTES_MAX: Final = 1_000_000

_JOINT: Final = re.compile(r"(?<=[a-z0-9])[._](?=[a-z])")
_TEMPLATE: Final = Path(__file__).with_name("page.html.j2")


def render(report: Report) -> str:
    """The report as a page; if it exceeds BYTES_MAX the data of the charts is left out, with a note."""
    page = _render(report, with_data=True)
    return page if len(page.encode()) <= BYTES_MAX else _render(report, with_data=False)


def _render(report: Report, *, with_data: bool) -> str:
    from jinja2 import Environment, StrictUndefined  # slow to import

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"breakable": _breakable, "bracketed": _bracketed}
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(report=report, light=_variables(LIGHT), dark=_variables(DARK), with_data=with_data)


def _breakable(text: str) -> Markup:
    """Allow line breaks in names such as ``system.feed.mix.followed`` after a dot or an underscore."""
    from markupsafe import Markup, escape  # only pages need it

    return Markup(_JOINT.sub(r"\g<0><wbr>", str(escape(text))))


def _bracketed(text: str) -> Markup:
    """Allow a line break in ``212 [198–231] ms`` only before the interval."""
    from markupsafe import Markup  # only pages need it

    first, _, rest = text.partition(" [")
    return Markup("{} <span>[{}</span>").format(first, rest)


def _variables(palette: Palette) -> str:
    return " ".join(f"--{name}: {color};" for name, color in asdict(palette).items())
