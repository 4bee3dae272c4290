"""The settings that a search tried: cost against latency, the front, the limit, the best one and today's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import altair as alt

from present.charts import axes
from present.charts.theme import framed, layered, limit_line, mark
from present.palette import Palette

#: Shares of the chart's width and height that a label needs.
_APART: Final = (0.1, 0.06)

Kind = Literal["tried", "front", "missed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSpot:
    """One setting that was tried: dollars a month, seconds, and on the front a few words of its third objective."""

    cost: float
    seconds: float
    kind: Kind
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A setting with intervals in both directions: the best one or today's."""

    name: str
    cost: tuple[float, float, float]  # value, low, high
    seconds: tuple[float, float, float]
    star: bool


def front(
    spots: Sequence[FrontSpot],
    marked: Sequence[Marked],
    *,
    latency: str,
    limit_seconds: float | None = None,
    limit_name: str = "",
    palette: Palette,
    width: int = 560,
    height: int = 300,
) -> Any:
    """Dots are settings: large ones are on the front, small ones are beaten, crosses exceed a limit. What is below the
    limit is shaded."""
    latencies = [each.seconds * 1e3 for each in spots] + [edge * 1e3 for each in marked for edge in each.seconds]
    domain = axes.ms_domain([*latencies, *([limit_seconds * 1e3] if limit_seconds else [])])
    costs = [each.cost for each in spots] + [edge for each in marked for edge in each.cost]
    low, high = min(costs, default=0.0), max(costs, default=1.0)
    air = 0.06 * (high - low) or 0.05 * (abs(high) or 1.0)
    label = "'$' + format(datum.value, ',')"
    x = axes.linear("x", (low - air, high + 2 * air), title="a month", labelExpr=label, tickCount=6)
    y = axes.ms("y", domain, title=latency, few=height < 220)
    layers: list[alt.Chart] = []
    if limit_seconds is not None:
        region = [{"x": low - air, "x2": high + 2 * air, "y": domain[0], "y2": min(limit_seconds * 1e3, domain[1])}]
        shade = {"color": palette.ink, "opacity": 0.05}
        layers.append(mark(region, "rect", style=shade, x=x, x2={"field": "x2"}, y=y, y2={"field": "y2"}))
        layers += limit_line(limit_seconds * 1e3, limit_name, palette, y)
    room = _Room(low - air, high + 2 * air, domain)
    for each in marked:
        room.take(each.cost[0], each.seconds[0] * 1e3)
    looks: dict[Kind, dict[str, Any]] = {
        "tried": {"shape": "circle", "size": 18, "filled": True, "color": palette.stated, "opacity": 0.7},
        "missed": {"shape": "cross", "size": 34, "filled": True, "color": palette.missed, "opacity": 0.8, "angle": 45},
        "front": {"shape": "circle", "size": 60, "filled": True, "color": palette.simulated, "opacity": 1},
    }
    for kind, style in looks.items():
        rows = [
            {
                "x": round(each.cost, 4),
                "y": round(each.seconds * 1e3, 4),
                "words": each.words if each.words and room.take(each.cost, each.seconds * 1e3) else "",
            }
            for each in spots
            if each.kind == kind
        ]
        if rows:
            layers.append(mark(rows, "point", style=style, x=x, y=y))
        if kind == "front" and rows:
            words = {"align": "left", "dx": 7, "dy": -6, "fontSize": 9, "color": palette.ink}
            layers.append(mark(rows, "text", style=words, x=x, y=y, text="words"))
    for each in marked:
        layers += _marked(each, x, y, palette)
    return framed(layered(layers, width=width, height=height), palette)


class _Room:
    """Areas taken by labels, so that labels do not overlap."""

    def __init__(self, low: float, high: float, domain: tuple[float, float]):
        self._width, self._height = high - low, math.log(domain[1] / domain[0])
        self._taken: list[tuple[float, float]] = []

    def take(self, cost: float, ms: float) -> bool:
        """Take an area; returns whether it was free."""
        x, y = cost / self._width, math.log(ms) / self._height
        free = all(abs(x - other) > _APART[0] or abs(y - beside) > _APART[1] for other, beside in self._taken)
        if free:
            self._taken.append((x, y))
        return free


def _marked(each: Marked, x: axes.Axis, y: axes.Axis, palette: Palette) -> list[alt.Chart]:
    cost, cost_low, cost_high = each.cost
    ms, ms_low, ms_high = (edge * 1e3 for edge in each.seconds)
    row = [
        {
            "x": cost,
            "y": round(ms, 4),
            "left": cost_low,
            "right": cost_high,
            "bottom": round(ms_low, 4),
            "top": round(ms_high, 4),
            "name": each.name,
        }
    ]
    ink = {"color": palette.ink}
    shape = (
        "M0,-1L.23,-.32L.95,-.31L.38,.12L.59,.81L0,.4L-.59,.81L-.38,.12L-.95,-.31L-.23,-.32Z" if each.star else "square"
    )
    above = -12 if each.star else 14
    return [
        mark(row, "rule", style=ink, x={**x, "field": "left"}, x2={"field": "right"}, y=y),
        mark(row, "rule", style=ink, x=x, y={**y, "field": "bottom"}, y2={"field": "top"}),
        mark(
            row,
            "point",
            style={**ink, "shape": shape, "size": 190 if each.star else 70, "filled": each.star, "opacity": 1},
            x=x,
            y=y,
        ),
        mark(row, "text", style={**ink, "align": "center", "dy": above, "fontWeight": "bold"}, x=x, y=y, text="name"),
    ]
