"""Values of a field as a scenario file writes them (``10/s``, ``64MiB``, ``60%``, ``8_000``): numbers with their unit.

A range keeps the unit and the kind of number of its ends: between whole numbers without a unit there are only whole
numbers, because they are counts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(r"^\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*(\D.*)?$")
_RANGE: Final = re.compile(r"^(?P<low>[^.]*(?:\.\d[^.]*)?)\.\.(?P<high>[^:]+)(?::(?P<how>.*))?$")
#: Digits of values within a range: more would be noise in a file.
_DIGITS: Final = 6
#: More values than this are taken for a typing error.
VALUES_MAX: Final = 10_000


class ValueTextError(ValueError):
    """What is asked for is no value or range; the message says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberWithUnit:
    """A number and its unit."""

    value: float
    unit: str = ""
    fraction: bool = False  # written with decimals

    @property
    def whole(self) -> bool:
        """A count: there are no fractions between two of these."""
        return not self.unit and not self.fraction

    def text(self) -> str:
        """As a file writes it."""
        return f"{plain(self.value)}{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRange:
    """From one number to another of the same unit; ``how`` is the text after the colon."""

    low: NumberWithUnit
    high: NumberWithUnit
    how: str = ""

    def at(self, value: float) -> str:
        """The value's text, in the unit and kind of the ends."""
        whole = self.low.whole and self.high.whole
        return NumberWithUnit(value=round(value) if whole else float(f"{value:.{_DIGITS}g}"), unit=self.low.unit).text()

    def spread(self, count: int, *, log: bool) -> tuple[str, ...]:
        """``count`` values from end to end, evenly or by equal factors, without duplicates from rounding."""
        low, high = self.low.value, self.high.value
        if count == 1:
            return (self.at(low),)
        steps = [index / (count - 1) for index in range(count)]
        if log:
            values = [low * (high / low) ** step for step in steps]
        else:
            values = [low + (high - low) * step for step in steps]
        return tuple(dict.fromkeys(self.at(value) for value in values))


def number(text: str) -> NumberWithUnit | None:
    """Read a number with its unit; None where the text starts with none."""
    match = _NUMBER.match(text)
    if match is None:
        return None
    digits = match[1].replace("_", "")
    unit = (match[2] or "").strip()
    return NumberWithUnit(value=float(digits), unit=unit, fraction="." in digits)


def span(text: str) -> ValueRange | None:
    """Read ``A..B`` or ``A..B:how``; None where the text is no range. Raises ValueTextError for one that cannot be."""
    match = _RANGE.match(text.strip())
    if match is None:
        return None
    low, high = number(match["low"]), number(match["high"])
    if any(match[end].strip().startswith("-") for end in ("low", "high")):
        least = (
            "above zero for equal factors (log)" if (match["how"] or "").strip().endswith("log") else "of at least 0"
        )
        raise ValueTextError(f"{text!r}: expected both ends {least}")
    if low is None or high is None:
        raise ValueTextError(f"{text!r}: expected numbers at both ends, such as 10/s..100/s or 1_000..20_000")
    if low.unit != high.unit:
        raise ValueTextError(f"{text!r}: expected one unit at both ends, found {low.unit!r} and {high.unit!r}")
    if not low.value < high.value:
        raise ValueTextError(f"{text!r}: expected the lower end first")
    return ValueRange(low=low, high=high, how=(match["how"] or "").strip())


def spread(text: str) -> tuple[str, ...]:
    """The values of ``A..B:N`` (evenly spaced, both ends held), ``A..B:Nlog`` (by equal factors), or of a list with
    commas. Raises ValueTextError."""
    found = span(text)
    if found is None:
        values = tuple(part.strip() for part in _parts(text))
        if not values or not all(values):
            raise ValueTextError(f"{text!r}: expected values such as 1,2,4 or a range such as 10/s..100/s:10")
        return tuple(dict.fromkeys(values))
    log = found.how.endswith("log")
    count = found.how.removesuffix("log").strip()
    if not count.isdigit() or int(count[:9]) < 2:
        raise ValueTextError(
            f"{text!r}: expected how many values, such as {found.low.text()}..{found.high.text()}:5 (or :5log)"
        )
    if len(count) > len(str(VALUES_MAX)) or int(count) > VALUES_MAX:
        raise ValueTextError(f"{text!r}: expected at most {VALUES_MAX:,} values")
    if log and found.low.value <= 0:
        raise ValueTextError(f"{text!r}: expected a lower end above zero for equal factors")
    return found.spread(int(count), log=log)


def position(text: str) -> float | None:
    """Where a value lies on an axis: its number; None if it has none."""
    found = number(text)
    return None if found is None or not math.isfinite(found.value) else found.value


def plain(value: float) -> str:
    """A number without an exponent, as the reader of scenarios wants it."""
    text = f"{value:.10f}".rstrip("0").rstrip(".") if value != round(value) else f"{value:.0f}"
    return text or "0"


def _parts(text: str) -> list[str]:
    """Split at commas that stand in no bracket, so that a value may be a list or a mapping."""
    parts, depth, begin = [], 0, 0
    for index, sign in enumerate(text):
        depth += (sign in "[{") - (sign in "]}")
        if sign == "," and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    return [*parts, text[begin:]]
