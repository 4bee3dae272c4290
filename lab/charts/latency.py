"""Latency of one operation over time on both sides, with the faults shaded and the limit as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from core.names import Origin
from core.run import Samples
from lab.charts import axes, series
from lab.charts.theme import DASH, Palette, color_of, framed, rows_of
from lab.comparison import Fault

Sides = Mapping[Origin, Samples]


def over_time(
    sides: Sides,
    *,
    duration_seconds: float,
    palette: Palette,
    faults: Sequence[Fault] = (),
    limit_seconds: float | None = None,
    limit_name: str = "",
    width: int = 680,
    height: int = 240,
) -> Any:
    """p50 and p95 by window of time, the faults shaded, the limit as a line; the offered rate below."""
    span = series.window_seconds(list(sides.values()), duration_seconds)
    rows = {origin: series.over_windows(samples, span, duration_seconds) for origin, samples in sides.items()}
    values = [row[key] for side in rows.values() for row in side for key in ("p50", "p95")]
    domain = axes.ms_domain([*values, limit_seconds * 1e3 if limit_seconds else None])
    narrow = width < 500
    x = alt.X(
        "t:Q",
        title=None,
        scale=alt.Scale(domain=[0, duration_seconds], nice=False),
        axis=alt.Axis(labels=False, ticks=False, tickCount=6),
    )
    layers = _shades(faults, duration_seconds, palette, labelled=True)
    if limit_seconds:
        layers += _limit(limit_seconds * 1e3, limit_name, palette)
    ends: list[tuple[Origin, str, float, float]] = []
    for origin, side in rows.items():
        for key, stroke in (("p50", 1.2), ("p95", 2.2)):
            line = [{"t": row["t"], "y": row[key]} for row in side]
            layers.append(
                rows_of(line)
                .mark_line(
                    color=color_of(palette, origin),
                    strokeWidth=stroke,
                    strokeDash=DASH[origin],
                    interpolate="monotone",
                    invalid="break-paths-show-domains",
                )
                .encode(x=x, y=axes.ms("y", domain, title=f"latency, {span:g} s windows", few=narrow))
            )
            last = next((point for point in reversed(line) if point["y"]), None)
            if last is not None:
                ends.append((origin, key, last["t"], last["y"]))
    layers += _end_labels(ends, domain, duration_seconds, height, palette, narrow=narrow)
    top = alt.layer(*layers).properties(width=width, height=height)
    return framed(alt.vconcat(top, _rates(rows, faults, duration_seconds, palette, width), spacing=6), palette)


def _rates(
    rows: Mapping[Origin, list[series.Row]],
    faults: Sequence[Fault],
    duration_seconds: float,
    palette: Palette,
    width: int,
) -> Any:
    origin = Origin.MEASURED if Origin.MEASURED in rows else Origin.SIMULATED
    offered = [{"t": row["t"], "rate": row["rate"]} for row in rows.get(origin, [])]
    x = alt.X("t:Q", title="seconds", scale=alt.Scale(domain=[0, duration_seconds], nice=False))
    area = (
        rows_of(offered)
        .mark_area(color=palette.stated, opacity=0.35, interpolate="monotone")
        .encode(x=x, y=alt.Y("rate:Q", title="sent/s", axis=alt.Axis(tickCount=2)))
    )
    layers = [*_shades(faults, duration_seconds, palette, labelled=False), area]
    return alt.layer(*layers).properties(width=width, height=44)


def _shades(faults: Sequence[Fault], duration_seconds: float, palette: Palette, *, labelled: bool) -> list[Any]:
    spans = [
        {
            "from": max(0.0, each.begins_seconds),
            "to": min(each.ends_seconds, duration_seconds),
            "name": f"{each.target} {each.what}",
        }
        for each in faults
        if each.ends_seconds > 0 and each.begins_seconds < duration_seconds
    ]
    if not spans:
        return []
    base = rows_of(spans)
    layers = [base.mark_rect(color=palette.ink, opacity=0.1).encode(x="from:Q", x2="to:Q")]
    layers += [
        base.mark_rule(color=palette.ink, opacity=0.45, strokeWidth=1).encode(x=f"{edge}:Q") for edge in ("from", "to")
    ]
    if labelled:
        late = spans[0]["from"] > duration_seconds * 0.5  # type: ignore[operator]
        text = base.mark_text(
            align="right" if late else "left", baseline="top", dx=-4 if late else 4, dy=2, color=palette.ink
        )
        layers.append(text.encode(x="from:Q" if late else "to:Q", y=alt.value(0), text="name:N"))
    return layers


def _limit(limit_ms: float, name: str, palette: Palette) -> list[Any]:
    base = rows_of([{"y": limit_ms, "name": name}])
    return [
        base.mark_rule(color=palette.stated, strokeWidth=1.4).encode(y="y:Q"),
        base.mark_text(align="left", baseline="bottom", dx=3, dy=-2, color=palette.stated).encode(
            x=alt.value(0), y="y:Q", text="name:N"
        ),
    ]


def _end_labels(
    ends: Sequence[tuple[Origin, str, float, float]],
    domain: tuple[float, float],
    duration_seconds: float,
    height: int,
    palette: Palette,
    *,
    narrow: bool,
) -> list[Any]:
    places = axes.log_spread([value for _, _, _, value in ends], domain, height)
    layers = []
    for place, (origin, key, _, _) in zip(places, ends, strict=True):
        name = f"{key} {origin.value[:3] if narrow else origin.value}"
        row = {"t": duration_seconds, "y": place, "name": name}
        layers.append(
            rows_of([row])
            .mark_text(align="left", dx=5, color=color_of(palette, origin), clip=False)
            .encode(x="t:Q", y="y:Q", text="name:N")
        )
    return layers
