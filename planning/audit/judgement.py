"""Whether a stated figure agrees with a computed one: to the digits shown, or within five per cent.

A back-of-envelope estimate rounds as it goes (58 K × 20 × 200 KB), so its last digit is often inexact.
"""

from __future__ import annotations

from typing import Final

from planning.audit.amounts import Amount
from planning.audit.units import Quantity, ratio

AGREES_WITHIN_RATIO: Final = 0.05


def to_its_digits(stated: Amount, computed: Quantity) -> bool:
    """Whether the stated figure is the computed one rounded to the digits shown (with a float's tolerance)."""
    return abs(ratio(stated.value - computed, stated.half)) <= 1 + 1e-9


def agrees(stated: Amount, computed: Quantity, *, covers: bool = False) -> bool:
    """Whether a stated figure agrees; a capacity (``covers``) also agrees if it is more than enough."""
    if to_its_digits(stated, computed):
        return True
    over = _over(stated, computed)
    return over >= -AGREES_WITHIN_RATIO if covers else abs(over) <= AGREES_WITHIN_RATIO


def how(stated: Amount, computed: Quantity) -> str:
    """In what way a figure agrees."""
    if to_its_digits(stated, computed):
        return "to the digits it shows"
    return "more than enough" if _over(stated, computed) > AGREES_WITHIN_RATIO else "within 5 %"


def _over(stated: Amount, computed: Quantity) -> float:
    """The excess of the stated over the computed, as a share of the computed."""
    over = ratio(stated.value, computed) - 1
    return over if computed.magnitude >= 0 else -over
