"""Figures as text: three significant digits and never finer than the noise, ms below a second, signed errors with a
true minus, and “–” for what was not measured. Everywhere else values are in SI units.
"""

from __future__ import annotations

import math
from typing import Final

from core.stats import Estimate
from records.comparison import ExpectationPair, Judged

MISSING: Final = "–"
MINUS: Final = "−"
#: Width of a bucket of `sim.results.histogram` over its value.
_HISTOGRAM_RATIO: Final = 0.002


def duration(seconds: float | None, *, noise_seconds: float = 0.0) -> str:
    """``0.2683`` → ``268 ms``; ``noise_seconds`` is the half width below which digits would mean nothing."""
    if seconds is None:
        return MISSING
    scale, unit = _unit(seconds)
    return f"{rounded(seconds / scale, noise_seconds / scale)} {unit}"


def interval(figure: Estimate | None) -> str:
    """``212 [198–231] ms``."""
    if figure is None:
        return MISSING
    scale, unit = _unit(figure.value)
    noise = (figure.high - figure.low) / 2 / scale
    value, low, high = (rounded(each / scale, noise) for each in (figure.value, figure.low, figure.high))
    return f"{value} [{low}–{high}] {unit}"


def error(ratio: float | None) -> str:
    """``-0.214`` → ``−21 %``; always signed. A deviation of more than ten times is shown as a factor."""
    if ratio is None:
        return MISSING
    if ratio > 9.995:
        return f"×{ratio + 1:,.0f}"
    return signed(ratio * 100, digits=0 if abs(ratio) >= 0.0995 else 1) + " %"


def noise(ratio: float | None) -> str:
    """``0.06`` → ``±6 %``."""
    if ratio is None:
        return MISSING
    if ratio > 9.995:
        return f"±×{ratio:,.0f}"
    return f"±{ratio * 100:.{0 if ratio >= 0.0995 else 1}f} %"


def signed(value: float, *, digits: int = 0) -> str:
    """A number with its sign, true minus; zero has none."""
    text = f"{abs(value):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return (MINUS if value < 0 else "+") + text


def share(ratio: float | None) -> str:
    """``0.0213`` → ``2.13 %``."""
    if ratio is None:
        return MISSING
    return f"{rounded(ratio * 100)} %"


def rho(ratio: float | None) -> str:
    """Utilisation: ``0.71``."""
    return MISSING if ratio is None else f"{ratio:.2f}"


def rate(per_second: float | None) -> str:
    """``120`` → ``120/s``."""
    return MISSING if per_second is None else f"{rounded(per_second)}/s"


def count(value: float | None) -> str:
    """``4912`` → ``4,912``."""
    return MISSING if value is None else f"{value:,.0f}"


def dollars(value: float | None) -> str:
    """``1840.2`` → ``$1,840``; three significant digits, cents below ten dollars, more where a cent is too coarse."""
    if value is None:
        return MISSING
    if value == 0:
        return "$0"
    if abs(value) < 10:
        return f"${value:.2f}" if abs(value) >= 0.1 else f"${value:.2g}"
    return f"${rounded(value)}"


def around(found: Estimate | None, unit: float = 1.0, letters: str = "") -> str:
    """``41.6 ms ±0.7 %``: in digits that the interval allows; ``letters`` follow the value."""
    if found is None:
        return MISSING
    return f"{rounded(found.value / unit, _width(found) / unit)}{letters}{half(found)}"


def latency(found: Estimate | None, limit_seconds: float) -> str:
    """`around` in ms; ``>5,000``, without an interval, for the client's time limit."""
    if found is not None and at_limit(found.value, limit_seconds):
        return f">{rounded(limit_seconds * 1e3)}"
    return around(found, 1e-3)


def at_limit(seconds: float, limit_seconds: float) -> bool:
    """Whether a latency is the client's time limit, within the resolution of a histogram: so many requests were not
    answered that it is at least that."""
    return seconds >= limit_seconds * (1.0 - _HISTOGRAM_RATIO)


def half(found: Estimate) -> str:
    """`` ±0.7 %``: half of the interval over the value; empty where there is none, or the figure never differs."""
    width = _width(found)
    return f" ±{_one_digit(width / abs(found.value) * 100)} %" if width and found.value else ""


def share_around(found: Estimate) -> str:
    """``55.4 ±0.2 %``, both of the same whole."""
    width = _width(found) * 100
    return f"{rounded(found.value * 100, width)}{f' ±{_one_digit(width)}' if width else ''} %"


def errors(found: Estimate) -> str:
    """A share; if no event was seen, its upper bound."""
    return f"<{_one_digit(found.high * 100)} %" if found.value == 0.0 else share_around(found)


def judged(side: Judged | None, unit: str) -> str:
    """The value of an expectation on one side, with its interval."""
    return found(side.value, side.interval, unit) if side is not None else MISSING


def found(value: float | None, interval: Estimate | None, unit: str) -> str:
    """A value of a verdict with its interval, if it has one."""
    if value is None or interval is None:
        return by_unit(value, unit)
    if unit == "ratio":
        return errors(interval)
    scale, letters = _unit(value)
    return around(interval, scale, f" {letters}")


def by_unit(value: float | None, unit: str) -> str:
    """A figure of a verdict: ``unit`` is seconds, ratio or count."""
    if unit == "seconds":
        return duration(value)
    return share(value) if unit == "ratio" else count(value)


def limit(verdict: ExpectationPair) -> str:
    """The limit of an expectation; a count is a maximum."""
    return limit_of(verdict.limit, verdict.unit)


def limit_of(value: float, unit: str) -> str:
    """A limit as written: ``<300 ms``, ``<1 %``; it is exact, so it gets no extra digits."""
    if unit == "seconds":
        scale, name = _unit(value)
        return f"<{value / scale:.6g} {name}"
    return f"<{value * 100:.6g} %" if unit == "ratio" else count(value)


def margin(verdict: ExpectationPair) -> str:
    """Value minus limit on the deciding side: ``+41 ms`` is a miss by 41 ms. Empty without a value."""
    decided = verdict.deciding
    if decided is None or decided.value is None:
        return ""
    over = decided.value - verdict.limit
    sign = "+" if over > 0 else MINUS
    return sign + by_unit(abs(over), verdict.unit) if over else "0"


def clock(text: str) -> str:
    """``2026-11-21T07:48:12Z`` → ``2026-11-21 07:48Z``."""
    return text[:16].replace("T", " ") + "Z" if len(text) >= 16 else text


def took(seconds: float) -> str:
    """``161`` → ``2m41s``."""
    whole = round(seconds)
    return f"{whole // 60}m{whole % 60:02d}s" if whole >= 60 else f"{whole}s"


def _width(found: Estimate) -> float:
    width = (found.high - found.low) / 2.0
    return width if math.isfinite(width) else 0.0


def _one_digit(value: float) -> str:
    """One significant digit, without an exponent; a whole number keeps all of its digits."""
    if value <= 0:
        return "0"
    return f"{value:.{max(0, -math.floor(math.log10(float(f'{value:.0e}'))))}f}"


def _unit(seconds: float) -> tuple[float, str]:
    return (1.0, "s") if abs(seconds) >= 0.9995 else (1e-3, "ms")


def rounded(value: float, noise: float = 0.0) -> str:
    """Three significant digits, and none below the second digit of ``noise``, the half width of an interval, as is
    usual for uncertainties."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else MISSING
    decimals = 2 - math.floor(math.log10(abs(float(f"{value:.2e}"))))
    if noise > 0:
        decimals = min(decimals, 1 - math.floor(math.log10(noise)))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}".replace("-", MINUS)
