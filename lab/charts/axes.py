"""Axes that the charts share: logarithmic milliseconds with round ticks, and tails on 1/(1 − q)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import altair as alt

from lab.charts import series

#: ms below a second, s above, as everywhere.
MS_LABEL: Final = "datum.value >= 1000 ? format(datum.value / 1000, '~g') + ' s' : format(datum.value, '~g') + ' ms'"
TAIL_LABEL: Final = "format(1 - 1 / datum.value, '~p')"
_LABEL_PIXELS: Final = 14
_TAIL_TICKS: Final = (2, 4, 10, 20, 100, 1_000, 10_000, 100_000)


def ms_domain(values_ms: Iterable[float | None]) -> tuple[float, float]:
    """Bounds of a logarithmic axis that holds ``values_ms`` with some air."""
    known = [each for each in values_ms if each is not None and each > 0]
    if not known:
        return 1.0, 1_000.0
    low, high = min(known) * 0.8, max(known) * 1.25
    if high / low < 4:  # never so near that noise looks like a mountain
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
    return low, high


def ticks(domain: tuple[float, float], *, at_most: int = 9) -> list[float]:
    """1, 2, 5 × 10^k inside ``domain``, or powers of ten where those are too many."""
    low, high = math.floor(math.log10(domain[0])), math.ceil(math.log10(domain[1]))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{step}e{power}") for power in range(low, high + 1) for step in steps]
        inside = [each for each in found if domain[0] <= each <= domain[1]]
        if len(inside) <= at_most:
            return inside
    return inside


def ms(field: str, domain: tuple[float, float], *, axis: str = "y", title: str = "latency", few: bool = False) -> Any:
    """A logarithmic axis of milliseconds."""
    shared: dict[str, Any] = {
        "title": title,
        "scale": alt.Scale(type="log", domain=list(domain), nice=False, clamp=True),
        "axis": alt.Axis(values=ticks(domain, at_most=5 if few else 9), labelExpr=MS_LABEL),
    }
    return alt.Y(f"{field}:Q", **shared) if axis == "y" else alt.X(f"{field}:Q", **shared)


def tail(field: str, top: float, *, title: str = "share of requests at most that slow") -> Any:
    """x = 1/(1 − q), logarithmic: each decade is one more nine."""
    return alt.X(
        f"{field}:Q",
        title=title,
        scale=alt.Scale(type="log", domain=[1.25, max(top, 4.0)], nice=False, clamp=True),
        axis=alt.Axis(values=[each for each in _TAIL_TICKS if each <= top * 1.001], labelExpr=TAIL_LABEL),
    )


def log_spread(values_ms: Sequence[float], domain: tuple[float, float], height: int) -> list[float]:
    """Places for labels at ``values_ms`` on an axis of ``height`` pixels, so far apart that each can be read."""
    low, high = math.log(domain[0]), math.log(domain[1])
    gap = (high - low) * _LABEL_PIXELS / height
    return [math.exp(each) for each in series.spread([math.log(v) for v in values_ms], gap, low, high)]
