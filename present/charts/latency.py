"""Latency of one operation over time on both sides, with the faults shaded and the limit as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from core.names import Origin
from core.run import Samples
from present.charts import axes, series
from present.charts.theme import DASH, color_of, framed, layered, limit_line, mark, name_at
from present.palette import Palette
from records.comparison import Fault

Sides = Mapping[Origin, Samples]


def over_time(
    sides: Sides,
    *,
    duration_seconds: float,
    palette: Palette,
    faults: Sequence[Fault] = (),
    limit_seconds: float | None = None,
    limit_name: str = "",
    viral_at_seconds: float | None = None,
    width: int = 680,
    height: int = 240,
) -> Any:
    """p50 and p95 by window of time, the faults shaded, the limit as a line; the offered rate below."""
    span = series.window_seconds(list(sides.values()), duration_seconds)
    rows = {origin: series.over_windows(samples, span, duration_seconds) for origin, samples in sides.items()}
    values = [row[key] for side in rows.values() for row in side for key in ("p50", "p95")]
    domain = axes.ms_domain([*values, limit_seconds * 1e3 if limit_seconds else None])
    narrow = width < 500
    x = axes.linear("t", (0, duration_seconds), title=None, labels=False, ticks=False, tickCount=6)
    layers = _shades(faults, duration_seconds, palette, labelled=True)
    if limit_seconds:
        layers += limit_line(limit_seconds * 1e3, limit_name, palette, "y")
    ends: list[tuple[Origin, str, float]] = []
    for origin, side in rows.items():
        for key, stroke in (("p50", 1.2), ("p95", 2.2)):
            line = [{"t": row["t"], "y": row[key]} for row in side]
            style = {
                "color": color_of(palette, origin),
                "strokeWidth": stroke,
                "strokeDash": DASH[origin],
                "interpolate": "monotone",
                "invalid": "break-paths-show-domains",
            }
            y = axes.ms("y", domain, title=f"latency, {span:g} s windows", few=narrow)
            layers.append(mark(line, "line", style=style, x=x, y=y))
            last = next((point["y"] for point in reversed(line) if point["y"]), None)
            if last is not None:
                ends.append((origin, key, last))
    layers += _end_labels(ends, domain, duration_seconds, height, palette, narrow=narrow)
    upper = layered(layers, width=width, height=height)
    lower = _rates(rows, faults, duration_seconds, viral_at_seconds, palette, width)
    return framed(alt.VConcatChart(vconcat=[upper, lower], spacing=6), palette)


def _rates(
    rows: Mapping[Origin, list[series.Row]],
    faults: Sequence[Fault],
    duration_seconds: float,
    viral_at_seconds: float | None,
    palette: Palette,
    width: int,
) -> alt.LayerChart:
    origin = Origin.MEASURED if Origin.MEASURED in rows else Origin.SIMULATED
    offered = [{"t": row["t"], "rate": row["rate"]} for row in rows.get(origin, [])]
    x = axes.linear("t", (0, duration_seconds), title="seconds", tickCount=6)
    y = axes.linear("rate", None, title="sent/s", tickCount=2)
    style = {"color": palette.stated, "opacity": 0.35, "interpolate": "monotone"}
    layers = [
        *_shades(faults, duration_seconds, palette, labelled=False),
        mark(offered, "area", style=style, x=x, y=y),
    ]
    if viral_at_seconds is not None:
        late = viral_at_seconds > duration_seconds * 0.25
        words = {"align": "right" if late else "left", "baseline": "top", "dx": -4 if late else 4, "dy": 2}
        moment = [{"t": viral_at_seconds, "name": "a post goes viral"}]
        layers += [
            mark(moment, "rule", style={"color": palette.ink, "opacity": 0.6}, x="t"),
            mark(moment, "text", style={"color": palette.ink, **words}, x="t", y=axes.TOP, text="name"),
        ]
    return layered(layers, width=width, height=44)


def _shades(faults: Sequence[Fault], duration_seconds: float, palette: Palette, *, labelled: bool) -> list[alt.Chart]:
    spans = [
        {
            "from": max(0.0, each.begins_seconds),
            "to": min(each.ends_seconds, duration_seconds),
            "middle": (max(0.0, each.begins_seconds) + min(each.ends_seconds, duration_seconds)) / 2,
            "name": f"{each.target} {each.what}",
        }
        for each in faults
        if each.ends_seconds > 0 and each.begins_seconds < duration_seconds
    ]
    if not spans:
        return []
    to: axes.Axis = {"field": "to"}
    layers = [mark(spans, "rect", style={"color": palette.ink, "opacity": 0.1}, x="from", x2=to)]
    layers += [mark(spans, "rule", style={"color": palette.ink, "opacity": 0.45}, x=edge) for edge in ("from", "to")]
    if labelled:  # above the plot, where no line runs through it
        style = {"align": "center", "baseline": "bottom", "dy": -3, "color": palette.ink}
        layers.append(mark(spans, "text", style=style, x="middle", y=axes.TOP, text="name"))
    return layers


def _end_labels(
    ends: Sequence[tuple[Origin, str, float]],
    domain: tuple[float, float],
    duration_seconds: float,
    height: int,
    palette: Palette,
    *,
    narrow: bool,
) -> list[alt.Chart]:
    layers = []
    for y, (origin, key, _) in zip(axes.log_spread([each[2] for each in ends], domain, height), ends, strict=True):
        name = f"{key} {origin.value[:3] if narrow else origin.value}"
        style = {"align": "left", "dx": 5, "color": color_of(palette, origin), "clip": False}
        layers.append(name_at(duration_seconds, y, name, style=style, at=("t", "y")))
    return layers
