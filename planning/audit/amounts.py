"""Quantities as people write them in an estimate: ``500 M posts/day``, ``3.5 MB``, ``$0.02/GB``, ``90 %``.

K, M, B and T after a number, separate from its unit, mean thousand to trillion: ``10 B`` is ten billion, and bytes are
written ``10 bytes``. The denominator may have a number: ``$0.0004/1000 requests``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from planning.audit.flaws import UnreadableError
from planning.audit.units import Quantity, Units

_MANY: Final = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12,
                "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}  # fmt: skip
_NUMBER: Final = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9][0-9_]*(?:\.[0-9]+)?"
_AMOUNT: Final = re.compile(
    rf"^(?P<sign>[-−])?\s*(?P<money>\$)?\s*(?P<number>{_NUMBER})\s*(?:(?P<many>{'|'.join(_MANY)})(?=$|[\s/]))?\s*(?P<unit>.*)$"
)
_LOT: Final = re.compile(rf"^(?:(?P<number>{_NUMBER})\s*)?(?:(?P<many>{'|'.join(_MANY)})(?=$|\s))?\s*(?P<word>\S+)$")
EXAMPLE: Final = "such as 500 M posts/day, 3.5 MB, $0.02/GB or 50 ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as it is written: ``above`` the line (``PB``, ``$``, ``posts`` or nothing), ``below`` (``/day``)."""

    above: str
    below: str
    one: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A quantity and its precision: ``half`` is half a unit of the last digit written."""

    text: str
    value: Quantity
    half: Quantity
    unit: Unit
    digits: int  # as written


def read(text: str, units: Units) -> Amount:
    """Parse a quantity; raises UnreadableError, which says what was expected."""
    match = _AMOUNT.match(text.strip())
    if match is None:
        raise UnreadableError(f"expected a number with its unit, {EXAMPLE}")
    unit = read_unit(("$" if match["money"] else "") + match["unit"], units)
    number = match["number"].replace(",", "").replace("_", "")
    many = _MANY.get(match["many"] or "", 1.0)
    sign = -1.0 if match["sign"] else 1.0
    return Amount(
        text=text.strip(),
        value=sign * float(number) * many * unit.one,
        half=_half(number) * many * unit.one,
        unit=unit,
        digits=len(number.replace(".", "").lstrip("0")),
    )


def _half(number: str) -> float:
    """Half a unit of the last digit; trailing zeros of a whole number may be rounding, but of at most 0.5 %."""
    whole, _, decimals = number.partition(".")
    if decimals:
        return 0.5 * 10.0 ** -len(decimals)
    zeros = len(whole) - len(whole.rstrip("0"))
    return max(0.5, min(0.5 * 10.0**zeros, 0.005 * float(whole)))


def read_unit(text: str, units: Units) -> Unit:
    """Parse a unit: words with ``/`` or ``per`` between them; raises UnreadableError."""
    above, *below = re.split(r"\s*/\s*|\s+per\s+", text.strip())
    one = units.number(1)
    if above.startswith("$") and above != "$":
        raise UnreadableError(f"expected a / after the dollars, {EXAMPLE}")
    if above:
        one = one * units.one(above)
    for part in below:
        match = _LOT.match(part)
        if match is None:
            raise UnreadableError(f"expected one unit after the /, {EXAMPLE}")
        lot = float((match["number"] or "1").replace(",", "").replace("_", "")) * _MANY.get(match["many"] or "", 1.0)
        if not 0 < lot < math.inf:
            raise UnreadableError("expected a number above 0 after the /")
        one = one / (lot * units.one(match["word"]))
    return Unit(above=above, below="".join(f"/{part}" for part in below), one=one)
