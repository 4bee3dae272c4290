"""Signed errors of every operation on one axis, each with its noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from present.charts import axes
from present.charts.theme import blank, framed, layered, mark
from present.palette import Palette
from records.comparison import OperationPair

#: Simulated over measured, labelled as an error.
_TICKS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.25, 2.0, 5.0, 10.0, 20.0, 50.0)
_FEW_TICKS: Final = (0.02, 0.1, 0.5, 1.0, 2.0, 10.0, 50.0)
_LABEL: Final = (
    "datum.value >= 9.9 ? '×' + format(datum.value, '~g') : datum.value == 1 ? '0' :"
    " (datum.value < 1 ? '−' : '+') + format(abs(datum.value - 1), '.0%')"
)
_SHAPES: Final = {"p50": "circle", "p95": "square", "p99": "triangle-up"}


def signed_errors(
    operations: Sequence[tuple[str, OperationPair]], *, palette: Palette, width: int = 560, row: int = 30
) -> Any:
    """One line for each (name, pair): p50 ●, p95 ■, p99 ▲ at their signed error, each on its noise as a bar."""
    rows = _rows(operations)
    if not rows:
        return blank("no percentile on both sides", palette, width=width)
    order = list(dict.fromkeys(str(each["operation"]) for each in rows))
    values = [float(each[key]) for each in rows for key in ("ratio", "low", "high")]
    low, high = max(min([*values, 0.75]) * 0.9, 0.02), max([*values, 1.33]) * 1.1
    wanted = _FEW_TICKS if width < 420 or high / low > 30 else _TICKS
    values = [each for each in wanted if low <= each <= high]
    x = axes.log("ratio", (low, high), title="error of the simulation", values=values, labelExpr=_LABEL)
    y = axes.names("operation", order, labelLimit=170)
    lane = {"field": "q", "type": "nominal", "sort": list(_SHAPES), "scale": {"domain": list(_SHAPES)}}
    shape = {"field": "q", "type": "nominal", "legend": None}
    color = {"field": "state", "type": "nominal", "legend": None}
    dots = {
        "shape": {**shape, "scale": {"domain": list(_SHAPES), "range": list(_SHAPES.values())}},
        "color": {**color, "scale": {"domain": ["within", "beyond"], "range": [palette.ink, palette.missed]}},
    }
    where: dict[str, Any] = {"x": x, "y": y, "yOffset": lane}
    bar = {"color": palette.stated, "opacity": 0.35, "height": 3}
    layers = [
        mark(rows, "bar", style=bar, **{**where, "x": {**x, "field": "low"}, "x2": {"field": "high"}}),
        mark([{"ratio": 1}], "rule", style={"color": palette.ink, "opacity": 0.6}, x=x),
        mark(rows, "point", style={"filled": True, "size": 46, "opacity": 1}, **where, **dots),
        mark(rows, "text", style={"align": "left", "dx": 6, "fontSize": 9}, **where, text="q"),
    ]
    return framed(layered(layers, width=width, height=max(row * len(order), 40)), palette)


def _rows(operations: Sequence[tuple[str, OperationPair]]) -> list[dict[str, Any]]:
    return [
        {
            "operation": name,
            "q": f"p{each.q * 100:g}",
            "ratio": round(1 + each.error_ratio, 4),
            "low": round(1 - min(each.noise_ratio, 0.95), 4),
            "high": round(1 + each.noise_ratio, 4),
            "state": "beyond" if each.beyond_noise else "within",
        }
        for name, pair in operations
        for each in pair.quantiles
        if each.error_ratio is not None and each.noise_ratio is not None
    ]
