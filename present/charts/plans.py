"""Charts of a plan: latency against load with the knee, a tornado of inputs, and costs by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

from core.names import Origin
from present.charts import axes
from present.charts.theme import DASH, framed, layered, limit_line, mark
from present.palette import Palette

#: Widths of a plan's charts on a wide and on a narrow page.
WIDE: Final = 540
NARROW: Final = 240
#: A curve is cut at this many times its limit.
_BEYOND: Final = 4.0
#: Labels nearer to each other than this are printed as one.
_NEAR_PIXELS: Final = 40


def load_curve(
    points: Sequence[tuple[float, float]],
    *,
    name: str,
    limit_seconds: float,
    limit_name: str,
    loads: Mapping[str, float],
    knee: float,
    knee_name: str = "knee",
    error_ratio: float,
    palette: Palette,
    width: int = 560,
    height: int = 240,
) -> Any:
    """Latency over load (1 is the worst hour's), in the band of the closed forms' error; the limit as a horizontal
    line, the knee and each of ``loads`` as vertical lines."""
    top = limit_seconds * _BEYOND
    shown = [(load, seconds) for load, seconds in points if seconds <= top]
    rows = [
        {
            "load": round(load, 4),
            "ms": round(seconds * 1e3, 4),
            "low": round(seconds * (1.0 - error_ratio) * 1e3, 4),
            "high": round(seconds * (1.0 + error_ratio) * 1e3, 4),
        }
        for load, seconds in shown
    ]
    domain = axes.ms_domain([*(row["low"] for row in rows), *(row["high"] for row in rows), limit_seconds * 1e3])
    most = max([1.05, knee * 1.1, *(load for load, _ in shown)])
    x = axes.linear("load", (0.0, most), title="load over the worst hour's", format=".2~f", tickCount=6)
    y = axes.ms("ms", domain, title=name, few=width < 400)
    band = {"color": palette.simulated, "opacity": 0.16}
    line = {"color": palette.simulated, "strokeWidth": 2.2, "strokeDash": DASH[Origin.SIMULATED], "clip": True}
    layers = [
        mark(rows, "area", style=band, x=x, y={**y, "field": "low"}, y2={"field": "high"}),
        *limit_line(limit_seconds * 1e3, limit_name, palette, y),
        *_uprights(loads, (knee, knee_name), x, palette, few=_NEAR_PIXELS / width * most),
        mark(rows, "line", style=line, x=x, y=y),
    ]
    return framed(layered(layers, width=width, height=height), palette)


def together(loads: Mapping[str, float], few: float) -> list[tuple[float, str]]:
    """(where, name) of labels; labels that would overlap are merged, halfway between them."""
    groups: list[list[tuple[float, str]]] = []
    for name, load in sorted(loads.items(), key=lambda each: each[1]):
        if groups and load - groups[-1][-1][0] < few:
            groups[-1].append((load, name))
        else:
            groups.append([(load, name)])
    return [(sum(load for load, _ in each) / len(each), ", ".join(name for _, name in each)) for each in groups]


def _uprights(
    loads: Mapping[str, float], knee: tuple[float, str], x: axes.Axis, palette: Palette, *, few: float
) -> list[alt.Chart]:
    moments = [{"load": load} for load in loads.values()]
    names = [{"load": load, "name": name} for load, name in together(loads, few)]
    turn = [{"load": knee[0], "name": knee[1]}]
    # to the side on which there is room
    beside = {"align": "right", "dx": -3} if knee[0] > x["scale"]["domain"][1] * 0.75 else {"align": "left", "dx": 3}
    above = {"align": "center", "baseline": "bottom", "dy": -3}
    return [
        mark(moments, "rule", style={"color": palette.ink, "opacity": 0.45}, x=x),
        mark(names, "text", style={**above, "color": palette.ink}, x=x, y=axes.TOP, text="name"),
        mark(turn, "rule", style={"color": palette.missed, "strokeWidth": 1.4}, x=x),
        mark(turn, "text", style={**beside, "baseline": "top", "dy": 2, "color": palette.missed},
             x=x, y=axes.TOP, text="name"),
    ]  # fmt: skip


def tornado(
    bars: Sequence[tuple[str, float, float]],
    *,
    middle: float,
    title: str,
    log: bool,
    palette: Palette,
    format: str = "$.3~s",
    width: int = 460,
    row: int = 26,
) -> Any:
    """One bar for each input, from the figure at its low end to that at its high end, the widest on top; ``log`` for
    latencies, which are given in milliseconds, and ``format`` for all else."""
    rows = [{"name": name, "from": min(low, high), "to": max(low, high)} for name, low, high in bars]
    values = [edge for _, low, high in bars for edge in (low, high)] + [middle]
    x: axes.Axis
    if log:
        x = axes.ms("from", axes.ms_domain(values), title=title, few=width < 400)
    else:
        x = axes.linear("from", (min(values) * 0.95, max(values) * 1.05), title=title, format=format, tickCount=5)
    y = axes.names("name", [name for name, _, _ in bars])
    bar = {"color": palette.simulated, "opacity": 0.75, "height": 12}
    layers = [
        mark(rows, "bar", style=bar, x=x, x2={"field": "to"}, y=y),
        mark([{"from": middle}], "rule", style={"color": palette.ink, "opacity": 0.7}, x=x),
    ]
    return framed(layered(layers, width=width, height=max(row * len(rows), 40)), palette)


def cost_dots(parts: Sequence[tuple[str, float]], *, palette: Palette, width: int = 460, row: int = 24) -> Any:
    """Dollars a month by component, the largest on top, on a logarithmic scale because a bill spans decades; so there
    is no zero for a bar to begin at."""
    least = max(parts[0][1] / 1e4, 0.01)
    rows = [{"name": name, "dollars": max(dollars, least)} for name, dollars in parts]
    domain = (least, parts[0][1] * 1.3)
    x = axes.log("dollars", domain, title="dollars a month", format="$.3~s", tickCount=5)
    y = axes.names("name", [name for name, _ in parts], labelLimit=140)
    dot = {"color": palette.simulated, "filled": True, "size": 70, "opacity": 1}
    layers = [mark(rows, "point", style=dot, x=x, y=y)]
    return framed(layered(layers, width=width, height=max(row * len(rows), 40)), palette)
