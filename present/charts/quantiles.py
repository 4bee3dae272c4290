"""Latency of one operation as a distribution: by percentile, cumulated, and one side against the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np

from core.names import Origin
from core.run import Samples
from present.charts import axes, series
from present.charts.theme import DASH, blank, color_of, framed, layered, mark, name_at
from present.palette import Palette

Sides = Mapping[Origin, Samples]
_TOO_FEW: Final = "too few requests for a percentile"


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
    curves = {origin: curve for origin, curve in curves.items() if len(curve.levels)}
    if not curves:
        return blank(_TOO_FEW, palette, width=width, height=height)
    top = max(fewest / 10, 4.0)
    domain = axes.ms_domain([float(v) * 1e3 for curve in curves.values() for v in (*curve.low, *curve.high)])
    x = axes.tail("x", top, labels=len(curves) < 2)
    y = axes.ms("y", domain, few=width < 500)
    layers: list[alt.Chart] = []
    for origin, curve in curves.items():
        points = [
            {"x": round(1 / (1 - q), 4), "y": round(v * 1e3, 4), "low": round(lo * 1e3, 4), "high": round(hi * 1e3, 4)}
            for q, v, lo, hi in zip(curve.levels, curve.values, curve.low, curve.high, strict=True)
        ]
        color = color_of(palette, origin)
        if origin is Origin.MEASURED:
            band = {**y, "field": "low"}
            style = {"color": color, "opacity": 0.16}
            layers.append(mark(points, "area", style=style, x=x, y=band, y2={"field": "high"}))
        style = {"color": color, "strokeWidth": 2.2, "strokeDash": DASH[origin]}
        layers.append(mark(points, "line", style=style, x=x, y=y))
    positions = axes.log_spread([float(curve.values[-1]) * 1e3 for curve in curves.values()], domain, height)
    for position, origin in zip(positions, curves, strict=True):
        style = {"align": "left", "dx": 6, "color": color_of(palette, origin), "clip": False}
        layers.append(name_at(top, position, origin.value, style=style, at=(x, y)))
    upper = layered(layers, width=width, height=height)
    if len(curves) < 2:
        return framed(upper, palette)
    return framed(alt.VConcatChart(vconcat=[upper, _error_strip(curves, top, palette, width)], spacing=6), palette)


def distribution(sides: Sides, *, palette: Palette, width: int = 330, height: int = 240) -> Any:
    """Empirical distribution of each side: the share of requests that were at most that slow."""
    points = {origin: side for origin, samples in sides.items() if (side := series.cumulative(samples))}
    if not points:
        return blank(_TOO_FEW, palette, width=width, height=height)
    domain = axes.ms_domain([x for side in points.values() for x, _ in side])
    x = axes.ms("x", domain, few=True)
    y = axes.linear("y", (0, 1), title="share of requests", format="~p")
    layers = []
    for origin, side in points.items():
        rows = [{"x": at, "y": round(share, 5)} for at, share in side]
        color = {"color": color_of(palette, origin)}
        style = {**color, "strokeWidth": 2, "strokeDash": DASH[origin], "interpolate": "step-after"}
        layers.append(mark(rows, "line", style=style, x=x, y=y))
    # each curve is labelled at half height on its outer side, so that labels of close curves do not overlap
    middles = {o: side[int(np.argmin([abs(share - 0.5) for _, share in side]))] for o, side in points.items()}
    first = min(middles, key=lambda origin: middles[origin][0])
    for origin, at in middles.items():
        left = origin is first and len(middles) > 1
        style = {"align": "right" if left else "left", "dx": -8 if left else 8, "color": color_of(palette, origin)}
        layers.append(name_at(*at, origin.value, style=style, at=(x, y)))
    return framed(layered(layers, width=width, height=height), palette)


def quantile_quantile(sides: Sides, *, palette: Palette, width: int = 330, height: int = 240) -> Any:
    """Simulated against measured quantiles; on the diagonal they agree, and the band is the measured one's interval."""
    fewest = min((len(each) for each in sides.values()), default=0)
    measured = series.quantile_curve(sides[Origin.MEASURED], upto_count=fewest)
    simulated = series.quantile_curve(sides[Origin.SIMULATED], upto_count=fewest)
    if not len(measured.levels):
        return blank(_TOO_FEW, palette, width=width, height=height)
    rows = [
        {"x": m * 1e3, "y": s * 1e3, "low": low * 1e3, "high": high * 1e3}
        for s, m, low, high in zip(simulated.values, measured.values, measured.low, measured.high, strict=True)
    ]
    rows = [{key: round(float(value), 4) for key, value in row.items()} for row in rows]
    domain = axes.ms_domain([row[key] for row in rows for key in ("x", "y")])
    x = axes.ms("x", domain, title="measured", few=True)
    y = axes.ms("y", domain, title="simulated", few=True)
    ends = [{"x": each, "y": each} for each in domain]
    gray = {"color": palette.stated}
    line = {"color": palette.simulated, "strokeWidth": 2, "point": {"color": palette.simulated, "size": 14}}
    layers = [
        mark(rows, "area", style={**gray, "opacity": 0.25}, x=x, y={**y, "field": "low"}, y2={"field": "high"}),
        mark(ends, "line", style={**gray, "strokeWidth": 1}, x=x, y=y),
        mark(rows, "line", style=line, x=x, y=y),
    ]
    # alternately below and above the line, because labels of close quantiles would overlap
    below, above = {"align": "left", "dx": 7, "dy": 9}, {"align": "right", "dx": -7, "dy": -7}
    for level, side in ((0.5, below), (0.95, below), (0.99, above)):
        if level <= float(measured.levels[-1]) + 1e-9:
            near = rows[int(np.argmin(np.abs(measured.levels - level)))]
            style = {"color": palette.ink, **side}
            layers.append(name_at(near["x"], near["y"], f"p{level * 100:g}", style=style, at=(x, y)))
    return framed(layered(layers, width=width, height=height), palette)


def _error_strip(
    curves: Mapping[Origin, series.QuantileCurve], top: float, palette: Palette, width: int
) -> alt.LayerChart:
    ours, real = curves[Origin.SIMULATED], curves[Origin.MEASURED]
    half = np.hypot((ours.high - ours.low) / 2 / real.values, ours.values * (real.high - real.low) / 2 / real.values**2)
    rows = [
        {"x": round(1 / (1 - q), 4), "error": round(s / m - 1, 4), "low": round(-h, 4), "high": round(h, 4)}
        for q, s, m, h in zip(ours.levels, ours.values, real.values, half, strict=True)
    ]
    # as wide as the errors need; larger noise is cut, because a jump of the curve makes it as high as the jump
    bound = min(max(0.1, 1.3 * max(abs(row["error"]) for row in rows)), 20.0)
    x = axes.tail("x", top)
    label = "datum.value == 0 ? '0' : format(datum.value, '+~p')"
    y = axes.linear("error", (-min(bound, 1.0), bound), title="error", labelExpr=label, tickCount=3)
    gray = {"color": palette.stated}
    line = {"color": palette.simulated, "strokeWidth": 2, "strokeDash": DASH[Origin.SIMULATED]}
    layers = [
        mark(rows, "area", style={**gray, "opacity": 0.28}, x=x, y={**y, "field": "low"}, y2={"field": "high"}),
        mark([{"error": 0}], "rule", style=gray, y=y),
        mark(rows, "line", style=line, x=x, y=y),
    ]
    return layered(layers, width=width, height=80)
