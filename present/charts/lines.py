"""A figure over a setting that was varied: a line with its interval for each combination of the other settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt

from core.names import Origin
from present.charts import axes, series
from present.charts.theme import DASH, framed, layered, limit_line, mark, name_at
from present.palette import Palette

#: More lines than this cannot be distinguished.
LINES_MAX: Final = 6
_LABEL_PIXELS: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSpot:
    """One setting: its value (a number or text), the figure and its interval."""

    x: float | str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLine:
    """The points of one combination of the other settings, by rising x."""

    name: str
    spots: tuple[LineSpot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How a figure is drawn: its title, its unit at each tick, the factor to that unit; ``log`` for latencies, whose
    factor converts to milliseconds (with a zero value the axis is linear, because a logarithmic one has no zero)."""

    title: str
    unit: str = ""
    factor: float = 1.0
    log: bool = False


def lines(
    drawn: Sequence[ChartLine],
    *,
    x_title: str,
    x_unit: str = "",
    x_log: bool = False,
    scale: Scale,
    palette: Palette,
    limit: float | None = None,
    limit_name: str = "",
    width: int = 560,
    height: int = 240,
) -> Any:
    """The first `LINES_MAX` of the lines, each named at its end; ``limit`` as a line of its own."""
    shown = [each for each in drawn if each.spots][:LINES_MAX]
    log = scale.log and all(spot.value > 0 for each in shown for spot in each.spots)
    factor = scale.factor
    bounds = [edge * factor for each in shown for spot in each.spots for edge in (spot.value, spot.low, spot.high)]
    y, domain = _y(scale, log, [*bounds, *([limit * factor] if limit is not None else [])], few=height < 200)
    x = _x(shown, x_title, x_unit, log=x_log)
    layers: list[alt.Chart] = []
    if limit is not None:
        layers += limit_line(limit * factor, limit_name, palette, y)
    for index, each in enumerate(shown):
        rows = [_row(spot, factor, domain) for spot in each.spots]
        strong = 1.0 - 0.6 * index / max(1, len(shown) - 1) if len(shown) > 1 else 1.0
        color = {"color": palette.simulated}
        if any(row["low"] < row["high"] for row in rows):
            band = {**color, "opacity": 0.16}
            layers.append(mark(rows, "area", style=band, x=x, y={**y, "field": "low"}, y2={"field": "high"}))
        dash = {"strokeDash": DASH[Origin.SIMULATED], "strokeWidth": 2, "opacity": strong}
        layers.append(mark(rows, "line", style={**color, **dash}, x=x, y=y))
        layers.append(mark(rows, "point", style={**color, "filled": True, "size": 26, "opacity": strong}, x=x, y=y))
    if any(each.name for each in shown):
        layers += _names(shown, factor, log, domain, x, y, palette, height)
    return framed(layered(layers, width=width, height=height), palette)


def _row(spot: LineSpot, factor: float, domain: tuple[float, float]) -> dict[str, Any]:
    low, high = (min(max(edge * factor, domain[0]), domain[1]) for edge in (spot.low, spot.high))
    return {"x": spot.x, "y": round(spot.value * factor, 6), "low": round(low, 6), "high": round(high, 6)}


def _y(scale: Scale, log: bool, values: Sequence[float], *, few: bool) -> tuple[axes.Axis, tuple[float, float]]:
    if log:
        domain = axes.ms_domain(values)
        return axes.ms("y", domain, title=scale.title, few=few), domain
    top = max([each for each in values if each == each], default=1.0)
    domain = (0.0, top * 1.08 if top > 0 else 1.0)
    label = axes.MS_LABEL if scale.log else f"format(datum.value, '~s') + '{scale.unit}'"
    return axes.linear("y", domain, title=scale.title, labelExpr=label, tickCount=5), domain


def _x(shown: Sequence[ChartLine], title: str, unit: str, *, log: bool) -> axes.Axis:
    values = [spot.x for each in shown for spot in each.spots]
    if any(isinstance(value, str) for value in values):
        order = list(dict.fromkeys(str(value) for value in values))
        return {"field": "x", "type": "ordinal", "sort": order, "title": title, "axis": {"labelAngle": 0}}
    numbers = sorted({float(value) for value in values})
    domain = [numbers[0], numbers[-1]] if numbers else [0.0, 1.0]
    scale: dict[str, Any] = {"domain": domain, "nice": False, "zero": False}
    axis: dict[str, Any] = {"labelExpr": f"format(datum.value, '~g') + '{unit}'", "tickCount": 6}
    if log and domain[0] > 0:
        scale["type"] = "log"
        axis["values"] = axes.ticks((domain[0], domain[1]), at_most=8) or domain
    elif len(numbers) <= 8:
        axis["values"] = numbers
    return {"field": "x", "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def _names(
    shown: Sequence[ChartLine],
    factor: float,
    log: bool,
    domain: tuple[float, float],
    x: axes.Axis,
    y: axes.Axis,
    palette: Palette,
    height: int,
) -> list[alt.Chart]:
    ends = [each.spots[-1].value * factor for each in shown]
    if log:
        positions = axes.log_spread(ends, domain, height)
    else:
        gap = (domain[1] - domain[0]) * _LABEL_PIXELS / height
        positions = series.spread(ends, gap, *domain)
    style = {"align": "left", "dx": 8, "color": palette.ink, "clip": False}
    return [
        name_at(each.spots[-1].x, position, each.name, style=style, at=(x, y))
        for position, each in zip(positions, shown, strict=True)
    ]
