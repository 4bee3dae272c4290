"""Axes shared by the charts: logarithmic milliseconds with round ticks, and tails on 1/(1 − q)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from present.charts import series

#: A channel of an encoding in Vega-Lite.
Axis = dict[str, Any]
#: ms below a second, s above, as everywhere.
MS_LABEL: Final = "datum.value >= 1000 ? format(datum.value / 1000, '~g') + ' s' : format(datum.value, '~g') + ' ms'"
TAIL_LABEL: Final = "format(1 - 1 / datum.value, '~p')"
_LABEL_PIXELS: Final = 14
_TAIL_TICKS: Final = (2, 4, 10, 20, 100, 1_000, 10_000, 100_000)


def ms_domain(values_ms: Iterable[float | None]) -> tuple[float, float]:
    """Bounds of a logarithmic axis that holds ``values_ms`` with a margin."""
    known = [each for each in values_ms if each is not None and each > 0]
    if not known:
        return 1.0, 1_000.0
    low, high = min(known) * 0.8, max(known) * 1.25
    if high / low < 4:  # so that noise does not look large
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


def ms(field: str, domain: tuple[float, float], *, title: str = "latency", few: bool = False) -> Axis:
    """A logarithmic axis of milliseconds."""
    return log(field, domain, title=title, values=ticks(domain, at_most=5 if few else 9), labelExpr=MS_LABEL)


def tail(field: str, top: float, *, labels: bool = True) -> Axis:
    """x = 1/(1 − q), logarithmic: each decade is one more nine. Without ``labels`` if a plot below has them."""
    title = "share of requests at most that slow" if labels else None
    values = [each for each in _TAIL_TICKS if each <= top * 1.001]
    domain = (1.25, max(top, 4.0))
    return log(field, domain, title=title, values=values, labelExpr=TAIL_LABEL, labels=labels, ticks=labels)


def log(field: str, domain: tuple[float, float], *, title: str | None, **axis: Any) -> Axis:
    scale = {"type": "log", "domain": list(domain), "nice": False, "clamp": True}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def linear(field: str, domain: Sequence[float] | None, *, title: str | None, **axis: Any) -> Axis:
    """A linear axis, by default as wide as its values."""
    scale: dict[str, Any] = {} if domain is None else {"domain": list(domain), "nice": False, "clamp": True}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def names(field: str, order: Sequence[str], **axis: Any) -> Axis:
    """An axis with a name for each row, in this order from top to bottom."""
    axis = {"ticks": False, "grid": False, **axis}
    return {"field": field, "type": "nominal", "sort": list(order), "title": None, "axis": axis}


#: The upper edge of the plot, for labels without a value.
TOP: Final[Axis] = {"value": 0}


def log_spread(values_ms: Sequence[float], domain: tuple[float, float], height: int) -> list[float]:
    """Positions of labels at ``values_ms`` on an axis of ``height`` pixels, far enough apart to be read."""
    low, high = math.log(domain[0]), math.log(domain[1])
    gap = (high - low) * _LABEL_PIXELS / height
    return [math.exp(each) for each in series.spread([math.log(v) for v in values_ms], gap, low, high)]
