"""Colours and frame that every chart shares, and the ways out: inline SVG and PNG.

The colours are told apart under three kinds of colour blindness. In a page that has a light and a dark face the SVG
carries CSS variables instead of colours, so one drawing serves both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt

from core.names import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """What each thing is drawn in."""

    measured: str
    simulated: str
    stated: str  # also noise
    missed: str
    ink: str
    grid: str
    paper: str


LIGHT: Final = Palette(
    measured="#0072B2",
    simulated="#C84E00",
    stated="#7A8794",
    missed="#99004D",
    ink="#1F2933",
    grid="#D9DEE3",
    paper="#FFFFFF",
)
DARK: Final = Palette(
    measured="#56B4E9",
    simulated="#E69F00",
    stated="#C3CCD6",
    missed="#FF4F93",
    ink="#E6E8EB",
    grid="#3A4048",
    paper="#0E1117",
)
#: Names instead of colours; the page that holds the SVG says what they are.
CSS: Final = Palette(
    measured="var(--measured)",
    simulated="var(--simulated)",
    stated="var(--stated)",
    missed="var(--missed)",
    ink="var(--ink)",
    grid="var(--grid)",
    paper="var(--paper)",
)

#: Measured is solid, simulated dashed.
DASH: Final = {Origin.MEASURED: [1, 0], Origin.SIMULATED: [5, 3]}
FONT: Final = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def framed(chart: Any, palette: Palette) -> Any:
    """Give a finished chart the house's axes, type and ground."""
    return (
        chart.configure(background="transparent", font=FONT, aria=False, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=palette.ink,
            titleColor=palette.ink,
            domainColor=palette.grid,
            tickColor=palette.grid,
            gridColor=palette.grid,
            gridOpacity=0.6,
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
        )
        .configure_title(color=palette.ink, fontSize=13, anchor="start", fontWeight="bold")
        .configure_text(color=palette.ink, fontSize=11)
    )


def rows_of(rows: Sequence[Any]) -> alt.Chart:
    """A chart of ``rows`` (one dict each), which travel inside of it."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def color_of(palette: Palette, origin: Origin) -> str:
    """The colour of one side."""
    return palette.measured if origin is Origin.MEASURED else palette.simulated


def svg(chart: Any) -> str:
    """The chart as inline SVG that fills the width of what holds it."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(chart.to_json())
    drawn = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", drawn, count=1)
    # a CSS variable is no colour to the writer's eye, so it may be quoted with entities; browsers want it plain
    return drawn.replace("&#39;", "'")


def png(chart: Any, *, scale: float = 2.0) -> bytes:
    """The chart as PNG; needs a palette of real colours."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(chart.to_json(), scale=scale)
    return drawn
