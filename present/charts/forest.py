"""Differences of two settings on one axis: each figure's relative change with its interval, and which are
significant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from present.charts import axes
from present.charts.theme import blank, framed, layered, mark
from present.palette import Palette

#: A larger change is drawn at the end of the axis.
_RATIO_MAX: Final = 2.0
_LABEL: Final = "datum.value == 0 ? '0' : (datum.value < 0 ? '−' : '+') + format(abs(datum.value), '.0%')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure: difference over the first setting's value, with its interval."""

    name: str
    ratio: float
    low: float
    high: float
    distinguishable: bool


def forest(changes: Sequence[Change], *, palette: Palette, width: int = 460, row: int = 20) -> Any:
    """One line for each figure; those that are not distinguishable are grey."""
    if not changes:
        return blank("no figure has a relative change", palette, width=width)
    bound = min(max([0.02, *(abs(edge) for each in changes for edge in (each.low, each.high))]) * 1.05, _RATIO_MAX)
    rows = [
        {
            "name": each.name,
            "ratio": round(min(max(each.ratio, -bound), bound), 5),
            "low": round(min(max(each.low, -bound), bound), 5),
            "high": round(min(max(each.high, -bound), bound), 5),
            "state": "distinguishable" if each.distinguishable else "noise",
        }
        for each in changes
    ]
    title = "change of the second against the first"
    x = axes.linear("ratio", (-bound, bound), title=title, labelExpr=_LABEL, tickCount=5)
    y = axes.names("name", [each.name for each in changes], labelLimit=190)
    color = {
        "field": "state",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["distinguishable", "noise"], "range": [palette.simulated, palette.stated]},
    }
    layers = [
        mark([{"ratio": 0}], "rule", style={"color": palette.ink, "opacity": 0.6}, x=x),
        mark(rows, "rule", style={"strokeWidth": 2}, x={**x, "field": "low"}, x2={"field": "high"}, y=y, color=color),
        mark(rows, "point", style={"filled": True, "size": 40, "opacity": 1}, x=x, y=y, color=color),
    ]
    return framed(layered(layers, width=width, height=max(row * len(rows), 40)), palette)
