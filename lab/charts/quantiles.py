"""Latency of one operation as a distribution: by percentile, cumulated, and one side against the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np

from core.names import Origin
from core.run import Samples
from lab.charts import axes, series
from lab.charts.theme import DASH, Palette, color_of, framed, rows_of

Sides = Mapping[Origin, Samples]


def by_percentile(
    sides: Sides,
    *,
    palette: Palette,
    width: int = 680,
    height: int = 260,
) -> Any:
    """Latency over 1/(1 − q) as far as both sides have the samples, above the signed error inside the noise band."""
    fewest = min((len(each) for each in sides.values()), default=0)
    curves = {origin: series.quantile_curve(samples, upto_count=fewest) for origin, samples in sides.items()}
    top = max(fewest / 10, 4.0)
    domain = axes.ms_domain([float(v) * 1e3 for curve in curves.values() for v in (*curve.low, *curve.high)])
    narrow = width < 500
    x = axes.tail("x", top, title="")
    layers: list[Any] = []
    ends: list[tuple[float, Origin]] = []
    for origin in (Origin.MEASURED, Origin.SIMULATED):
        curve = curves.get(origin)
        if curve is None or not len(curve.levels):
            continue
        points = [
            {"x": round(1 / (1 - q), 4), "y": round(v * 1e3, 4), "low": round(lo * 1e3, 4), "high": round(hi * 1e3, 4)}
            for q, v, lo, hi in zip(curve.levels, curve.values, curve.low, curve.high, strict=True)
        ]
        base = rows_of(points)
        y = axes.ms("y", domain, few=narrow)
        if origin is Origin.MEASURED:
            band = base.mark_area(color=color_of(palette, origin), opacity=0.16)
            layers.append(band.encode(x=x, y=axes.ms("low", domain, few=narrow), y2="high:Q"))
        layers.append(
            base.mark_line(color=color_of(palette, origin), strokeWidth=2.2, strokeDash=DASH[origin]).encode(x=x, y=y)
        )
        ends.append((points[-1]["y"], origin))
    places = axes.log_spread([each for each, _ in ends], domain, height)
    for place, (_, origin) in zip(places, ends, strict=True):
        layers.append(_label(top, place, origin.value, color_of(palette, origin), axes.tail("x", top), domain))
    upper = alt.layer(*layers).properties(width=width, height=height) if layers else _blank(width, height)
    if len(ends) < 2:
        return framed(upper, palette)
    return framed(alt.vconcat(upper, _error_strip(curves, top, palette, width), spacing=6), palette)


def distribution(sides: Sides, *, palette: Palette, width: int = 330, height: int = 240) -> Any:
    """Empirical distribution of each side: the share of requests that were at most that slow."""
    points = {origin: series.cumulative(samples) for origin, samples in sides.items()}
    domain = axes.ms_domain([x for side in points.values() for x, _ in side])
    layers = []
    for origin, side in points.items():
        rows = [{"x": x, "y": round(y, 5)} for x, y in side]
        layers.append(
            rows_of(rows)
            .mark_line(
                color=color_of(palette, origin), strokeWidth=2, strokeDash=DASH[origin], interpolate="step-after"
            )
            .encode(
                x=axes.ms("x", domain, axis="x", title="latency", few=True),
                y=alt.Y("y:Q", title="share of requests", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="~p")),
            )
        )
    # a curve is named where it crosses a height of its own, so that two near ones do not write over each other
    for place, (origin, side) in zip((0.72, 0.28), points.items(), strict=False):
        if side:
            at = side[int(np.argmin([abs(share - place) for _, share in side]))]
            left = origin is Origin.SIMULATED
            layers.append(
                rows_of([{"x": at[0], "y": at[1], "name": origin.value}])
                .mark_text(align="left", dx=8, dy=4 if left else 8, color=color_of(palette, origin))
                .encode(x="x:Q", y="y:Q", text="name:N")
            )
    return framed(alt.layer(*layers).properties(width=width, height=height), palette)


def quantile_quantile(sides: Sides, *, palette: Palette, width: int = 330, height: int = 240) -> Any:
    """Simulated against measured quantiles; on the diagonal they agree, and the band is the measured one's interval."""
    fewest = min((len(each) for each in sides.values()), default=0)
    measured = series.quantile_curve(sides[Origin.MEASURED], upto_count=fewest)
    simulated = series.quantile_curve(sides[Origin.SIMULATED], upto_count=fewest)
    if not len(measured.levels):
        return framed(_blank(width, height), palette)
    rows = [
        {"q": f"{q:.1%}", "x": m * 1e3, "y": s * 1e3, "low": low * 1e3, "high": high * 1e3}
        for q, m, s, low, high in zip(
            measured.levels, measured.values, simulated.values, measured.low, measured.high, strict=True
        )
    ]
    domain = axes.ms_domain([row[key] for row in rows for key in ("x", "y")])
    base = rows_of(rows)
    x = axes.ms("x", domain, axis="x", title="measured", few=True)
    y = axes.ms("y", domain, title="simulated", few=True)
    band = base.mark_area(color=palette.stated, opacity=0.25).encode(
        x=x, y=axes.ms("low", domain, title="simulated", few=True), y2="high:Q"
    )
    diagonal = (
        rows_of([{"x": each, "y": each} for each in domain])
        .mark_line(color=palette.stated, strokeWidth=1)
        .encode(x=x, y=y)
    )
    dots = base.mark_line(
        color=palette.simulated, strokeWidth=2, point=alt.OverlayMarkDef(color=palette.simulated, size=14)
    ).encode(x=x, y=y)
    named = []
    for level in (0.5, 0.95, 0.99):
        if level <= float(measured.levels[-1]) + 1e-9:
            near = int(np.argmin(np.abs(measured.levels - level)))
            named.append({**rows[near], "name": f"p{level * 100:g}"})
    text = rows_of(named).mark_text(align="left", dx=7, dy=9, color=palette.ink)
    return framed(
        alt.layer(band, diagonal, dots, text.encode(x=x, y=y, text="name:N")).properties(width=width, height=height),
        palette,
    )


def _error_strip(curves: Mapping[Origin, series.Curve], top: float, palette: Palette, width: int) -> Any:
    ours, real = curves[Origin.SIMULATED], curves[Origin.MEASURED]
    half = np.hypot((ours.high - ours.low) / 2 / real.values, ours.values * (real.high - real.low) / 2 / real.values**2)
    rows = [
        {"x": round(1 / (1 - q), 4), "error": round(s / m - 1, 4), "low": round(-h, 4), "high": round(h, 4)}
        for q, s, m, h in zip(ours.levels, ours.values, real.values, half, strict=True)
    ]
    base = rows_of(rows)
    x = axes.tail("x", top)
    y = alt.Y("error:Q", title="error", axis=alt.Axis(format="+~p", tickCount=3))
    band = base.mark_area(color=palette.stated, opacity=0.28).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    zero = rows_of([{"error": 0}]).mark_rule(color=palette.stated).encode(y="error:Q")
    line = base.mark_line(color=palette.simulated, strokeWidth=2, strokeDash=DASH[Origin.SIMULATED])
    return alt.layer(band, zero, line.encode(x=x, y=y)).properties(width=width, height=80)


def _label(x: float, y: float, name: str, color: str, x_axis: Any, domain: tuple[float, float]) -> Any:
    return (
        rows_of([{"x": x, "y": y, "name": name}])
        .mark_text(align="left", dx=6, color=color, clip=False)
        .encode(x=x_axis, y=axes.ms("y", domain), text="name:N")
    )


def _blank(width: int, height: int) -> Any:
    row = [{"note": "too few requests for a percentile"}]
    return rows_of(row).mark_text().encode(text="note:N").properties(width=width, height=height)
