"""Signed errors of every operation on one axis: under or over, how far, and whether noise could do the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from lab.charts.theme import Palette, framed, rows_of
from lab.comparison import OperationPair

#: Simulated over measured; written as the error it is.
_TICKS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.25, 2.0, 5.0, 10.0, 20.0, 50.0)
_FEW_TICKS: Final = (0.02, 0.1, 0.5, 1.0, 2.0, 10.0, 50.0)
_LABEL: Final = (
    "datum.value >= 9.9 ? '×' + format(datum.value, '~g') : datum.value == 1 ? '0' :"
    " (datum.value < 1 ? '−' : '+') + format(abs(datum.value - 1), '.0%')"
)
_SHAPES: Final = {0.5: "circle", 0.95: "square", 0.99: "triangle-up"}


def signed_errors(operations: Sequence[OperationPair], *, palette: Palette, width: int = 560, row: int = 30) -> Any:
    """One line per operation, worst first: p50 ●, p95 ■, p99 ▲ at their signed error, each on its noise as a bar."""
    rows: list[dict[str, Any]] = []
    for pair in operations:
        for each in pair.quantiles:
            if each.error_ratio is None or each.noise_ratio is None:
                continue
            noise = min(each.noise_ratio, 0.95)
            rows.append(
                {
                    "operation": pair.operation,
                    "q": f"p{each.q * 100:g}",
                    "ratio": round(1 + each.error_ratio, 4),
                    "low": round(1 - noise, 4),
                    "high": round(1 + each.noise_ratio, 4),
                    "state": "beyond" if each.beyond_noise else "within",
                }
            )
    order = list(dict.fromkeys(str(each["operation"]) for each in rows))
    if not rows:
        note = [{"note": "no percentile on both sides"}]
        blank = rows_of(note).mark_text().encode(text="note:N")
        return framed(blank.properties(width=width, height=60), palette)
    values = [float(each[key]) for each in rows for key in ("ratio", "low", "high")]
    low, high = max(min([*values, 0.75]) * 0.9, 0.02), max([*values, 1.33]) * 1.1
    narrow = width < 420
    wanted = _FEW_TICKS if narrow or high / low > 30 else _TICKS
    x = alt.X(
        "ratio:Q",
        title="error of the simulation (scale of simulated / measured)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False, clamp=True),
        axis=alt.Axis(values=[each for each in wanted if low <= each <= high], labelExpr=_LABEL),
    )
    y = alt.Y("operation:N", sort=order, title=None, axis=alt.Axis(labelLimit=130, ticks=False, grid=False))
    lane = alt.YOffset("q:N", sort=["p50", "p95", "p99"])
    base = rows_of(rows)
    bars = base.mark_bar(color=palette.stated, opacity=0.35, height=3).encode(
        x=alt.X("low:Q", scale=alt.Scale(type="log", domain=[low, high], nice=False, clamp=True), title=None),
        x2="high:Q",
        y=y,
        yOffset=lane,
    )
    zero = rows_of([{"ratio": 1}]).mark_rule(color=palette.ink, opacity=0.6).encode(x="ratio:Q")
    dots = base.mark_point(filled=True, size=46, opacity=1).encode(
        x=x,
        y=y,
        yOffset=lane,
        shape=alt.Shape(
            "q:N", scale=alt.Scale(domain=["p50", "p95", "p99"], range=list(_SHAPES.values())), legend=None
        ),
        color=alt.Color(
            "state:N",
            scale=alt.Scale(domain=["within", "beyond"], range=[palette.ink, palette.missed]),
            legend=None,
        ),
    )
    text = base.mark_text(align="left", dx=6, fontSize=9).encode(x=x, y=y, yOffset=lane, text="q:N")
    height = max(row * len(order), 40)
    return framed(alt.layer(bars, zero, dots, text).properties(width=width, height=height), palette)
