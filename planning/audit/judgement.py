"""When a stated figure agrees with a computed one: by the digits that it shows, or within five per cent.

An estimate on the back of an envelope rounds as it goes (58 K × 20 × 200 KB), so its last digit is often not its own.
"""

from __future__ import annotations

from typing import Final

from planning.audit.amounts import Amount
from planning.audit.units import Quantity, ratio

AGREES_WITHIN_RATIO: Final = 0.05


def to_its_digits(stated: Amount, computed: Quantity) -> bool:
    """Whether the stated figure is the computed one, rounded to the digits that are shown (a hair for floats)."""
    return abs(ratio(stated.value - computed, stated.half)) <= 1 + 1e-9


def agrees(stated: Amount, computed: Quantity, *, covers: bool = False) -> bool:
    """Whether it agrees; a capacity (``covers``) also where it is more than enough."""
    if to_its_digits(stated, computed):
        return True
    over = _over(stated, computed)
    return over >= -AGREES_WITHIN_RATIO if covers else abs(over) <= AGREES_WITHIN_RATIO


def how(stated: Amount, computed: Quantity) -> str:
    """How a figure that agrees does so."""
    if to_its_digits(stated, computed):
        return "to the digits it shows"
    return "more than enough" if _over(stated, computed) > AGREES_WITHIN_RATIO else "within 5 %"


def _over(stated: Amount, computed: Quantity) -> float:
    """How much more is stated, of what is computed."""
    over = ratio(stated.value, computed) - 1
    return over if computed.magnitude >= 0 else -over
