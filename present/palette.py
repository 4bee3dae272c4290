"""Colours that can be distinguished with three kinds of colour blindness; separate from charts, which import slowly."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colour of each thing."""

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
#: CSS variables in place of colours; the page that holds the SVG defines them.
CSS: Final = Palette(**{each.name: f"var(--{each.name})" for each in fields(Palette)})
