"""Figures of an audit as people read them: in the stated figure's unit, with a prefix that fits, and how far off."""

from __future__ import annotations

import math
import re
from typing import Final

from planning.audit import AuditVerdict, Finding
from planning.audit.amounts import Unit
from planning.audit.units import Quantity, ratio, same_kind
from present.figures import MINUS, MISSING, signed

DIGITS_MIN: Final = 3
DIGITS_MAX: Final = 6
_BYTES: Final = re.compile(r"^[kKMGTPE]?B$|^bytes?$")
_BITS: Final = re.compile(r"^[kKMGTPE]?(bps|bits?)$")
_MANY: Final = ((1e12, " T"), (1e9, " B"), (1e6, " M"))


def stated(finding: Finding) -> str:
    """The stated figure, as written in the design."""
    return finding.stated.text if finding.stated is not None else MISSING


def amount(quantity: Quantity | None, finding: Finding) -> str:
    """``11.4 PB/day``: a computed quantity of ``finding``; beside a stated one of its size it has as many digits."""
    unit = finding.unit
    if quantity is None or unit is None:
        return MISSING
    if not same_kind(quantity, unit.one):
        return f"{quantity.to_base_units():.3g~}"
    value = ratio(quantity, unit.one)
    digits, over = DIGITS_MIN, finding.off_ratio
    if finding.stated is not None and over is not None and 0.5 < over < 2:
        digits = min(max(finding.stated.digits, DIGITS_MIN), DIGITS_MAX)
    return _shown(value, unit, digits)


def off(finding: Finding) -> str:
    """``÷1,000``, ``×34.7`` or ``−21 %``: the stated figure relative to the recomputed one."""
    return times(finding.off_ratio)


def times(over: float | None) -> str:
    """A ratio as text: a factor or a percentage."""
    if over is None:
        return MISSING
    if over <= 0:
        return "opposite"
    if over >= 2 or over <= 0.5:
        sign, factor = ("×", over) if over >= 2 else ("÷", 1 / over)
        return f"{sign}{_without_zeros(_number(factor, DIGITS_MIN))}"
    return f"{signed((over - 1) * 100, digits=0 if abs(over - 1) >= 0.0995 else 1)} %"


def why(finding: Finding) -> str:
    """The reason for a verdict in words; if a figure has two mistakes, with the factor of each."""
    text, own, total = finding.reason, finding.own_off_ratio, finding.off_ratio
    if finding.own_slip and finding.follows_from and own is not None and total is not None:
        text += f" ({times(own)} here, {times(total / own)} before)"
    if finding.assumed and finding.verdict is AuditVerdict.DIFFERS:
        text += f" (with {', '.join(finding.assumed)} assumed)"
    return text


def because(finding: Finding) -> str:
    """Where a difference comes from: the reason for its own, or the figures that it follows from."""
    if finding.own_slip:
        return f"{finding.name}: {why(finding)}"
    return f"follows from {', '.join(finding.follows_from)}"


def _shown(value: float, unit: Unit, digits: int) -> str:
    above, sign = unit.above, MINUS if value < 0 else ""
    value = abs(value)
    if above == "%":
        return f"{sign}{_number(value, digits)} %{unit.below}"
    for pattern, base in ((_BYTES, "B"), (_BITS, above.lstrip("kKMGTPE"))):
        if pattern.match(above):
            return f"{sign}{_prefixed(value, above, base, digits)}{unit.below}"
    many, suffix = next(((size, name) for size, name in _MANY if value >= size), (1.0, ""))
    if not suffix and value >= 1e4 and digits == DIGITS_MIN:
        many, suffix = 1e3, " K"
    number = _number(value / many, digits)
    if above == "$":
        return f"{sign}${number}{suffix}{unit.below}"
    return f"{sign}{number}{suffix}{' ' + above if above else ''}{unit.below}"


def _prefixed(value: float, above: str, base: str, digits: int) -> str:
    letters = ["", "k", "M", "G", "T", "P", "E"]
    written = above[:1].replace("K", "k") if above != "B" and not above.startswith(("byte", "bit", "bps")) else ""
    position = letters.index(written)
    while value >= 1000 and position < len(letters) - 1:
        value, position = value / 1000, position + 1
    while 0 < value < 1 and position > 0:
        value, position = value * 1000, position - 1
    return f"{_number(value, digits)} {letters[position]}{'B' if base == 'B' else base}"


def _number(value: float, digits: int) -> str:
    """A number in significant digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return _without_zeros(text) if value < 1e-3 else text


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
