"""Conjectures about the mistake behind a wrong figure, from its ratio to the right value and its formula.

Two kinds are tried: the formula with one thing left out (a factor, a term, the second of two tiers in series), and
common confusions of units (per day for per month, TB for PB, per thousand for per one). One mistake is preferred to
two, and two are accepted only if they match closely. Without a match, nothing is said.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from planning.audit.amounts import Amount
from planning.audit.expression import Term, evaluate, names, size, variants
from planning.audit.flaws import UnreadableError
from planning.audit.units import PREFIXES, Quantity, Units, ratio, same_kind

#: How closely a mistake must match: as the digits of the figure allow, within these bounds.
NEAR_RATIO: Final = (0.005, 0.015)
#: Two mistakes at once can explain much, so they must match more closely.
NEAR_BOTH_RATIO: Final = 0.005
#: How many ways of leaving something out are tried, the outermost first, and the largest formula that is tried.
VARIANTS_MAX: Final = 40
TERMS_MAX: Final = 40
_TIMES: Final = (
    ("second", "minute", 60), ("minute", "hour", 60), ("second", "hour", 3600), ("hour", "day", 24),
    ("second", "day", 86_400), ("day", "month", 365 / 12), ("day", "month", 30), ("month", "year", 12),
    ("day", "year", 365),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """A mistake and the factor by which it changes a figure."""

    says: str
    factor: float


def conjecture(stated: Amount, computed: Quantity, term: Term, values: Mapping[str, Quantity], units: Units) -> str:
    """What may have gone wrong, in words; empty if no known mistake explains it.

    ``computed`` is what ``term`` gives with ``values``; it has the kind of the stated figure and is not zero.
    ``values`` includes all quantities of the design that do not depend on the figure."""
    off = ratio(stated.value, computed)
    if not 0 < off < float("inf"):
        return ""
    near = min(max(abs(ratio(stated.half, stated.value)), NEAR_RATIO[0]), NEAR_RATIO[1])
    left_out = list(_left_out(computed, term, values, units))
    times, sizes = list(_of_time()), list(_of_size(stated))
    alone = itertools.chain(left_out, times, sizes, _taken_for(computed, term, values))
    return _best(off, near, alone) or _best(off, NEAR_BOTH_RATIO, _both(left_out, times, sizes))


def _best(off: float, near: float, slips: Iterator[Slip]) -> str:
    """The first mistake that comes close; they are ordered by plausibility."""
    return next((each.says for each in slips if abs(off / each.factor - 1) <= near), "")


def _left_out(computed: Quantity, term: Term, values: Mapping[str, Quantity], units: Units) -> Iterator[Slip]:
    tried = variants(term) if size(term) <= TERMS_MAX else iter(())
    for each in itertools.islice(tried, VARIANTS_MAX):
        try:
            other = evaluate(each.term, values, units)
        except UnreadableError:
            continue  # the remaining terms are incompatible, so this was not the mistake
        if same_kind(other, computed):
            factor = ratio(other, computed)
            if factor > 0 and abs(factor - 1) > 1e-9:
                yield Slip(says=_named(each.slip), factor=factor)


def _named(slip: str) -> str:
    if "peak" in slip and "left out" in slip:
        return f"the mean taken for the peak: {slip}"
    if slip.startswith("the factor (1 - ") and "left out" in slip:
        return f"tiers in series taken for one: {slip}"
    return slip


def _of_time() -> Iterator[Slip]:
    for short, long, factor in _TIMES:
        yield Slip(says=f"per {long} taken for per {short}", factor=factor)
        yield Slip(says=f"per {short} taken for per {long}", factor=1 / factor)
    yield Slip(says="the 24 hours of a day taken for the days of a month", factor=24 / (365 / 12))


def _of_size(stated: Amount) -> Iterator[Slip]:
    dimensions = stated.value.dimensionality
    if "[information]" in dimensions:
        yield from _of_bytes(stated.unit.above)
    elif "[money]" in dimensions:
        yield Slip(says="per thousand taken for per one", factor=1000)
        yield Slip(says="per one taken for per thousand", factor=1 / 1000)
    else:
        yield Slip(says="a thousand times too much: K, M or B mistaken", factor=1000)
        yield Slip(says="a thousand times too little: K, M or B mistaken", factor=1 / 1000)


def _of_bytes(unit: str) -> Iterator[Slip]:
    letters = "kMGTPE"
    index = letters.find(unit[:1].replace("K", "k")) if len(unit) > 1 else -1
    for steps in (1, 2):
        for other, factor in ((index + steps, 1000.0**-steps), (index - steps, 1000.0**steps)):
            known = index >= 0 and 0 <= other < len(letters)
            says = f"{unit} written for {letters[other]}{unit[1:]}" if known else "a prefix mistaken"
            yield Slip(says=says, factor=factor)
    yield Slip(says="bits taken for bytes", factor=8)
    yield Slip(says="bytes taken for bits", factor=1 / 8)
    for prefix, power in PREFIXES.items():
        if prefix != "k":
            factor = 1.024 ** (power // 3)
            yield Slip(says=f"{prefix}iB taken for {prefix}B", factor=factor)
            yield Slip(says=f"{prefix}B taken for {prefix}iB", factor=1 / factor)


def _taken_for(computed: Quantity, term: Term, values: Mapping[str, Quantity]) -> Iterator[Slip]:
    """Another quantity of the design instead, or one plain number (a peak factor, copies) too many."""
    beside = {name: value for name, value in values.items() if name not in names(term) and value.magnitude > 0}
    for name, value in beside.items():
        if same_kind(value, computed) and not value.dimensionless:
            yield Slip(says=f"{name} taken for it", factor=ratio(value, computed))
    for name, value in beside.items():
        if value.unitless and value.magnitude > 1:
            yield Slip(says=f"the factor {name} too much", factor=float(value.magnitude))


def _both(left_out: list[Slip], times: list[Slip], sizes: list[Slip]) -> Iterator[Slip]:
    """Two mistakes of different kinds at once; only days and months for times, as the rest would explain anything."""
    days = [each for each in times if "day" in each.says and "month" in each.says]
    for one, other in itertools.chain(
        itertools.product(left_out, days), itertools.product(left_out, sizes), itertools.product(days, sizes)
    ):
        yield Slip(says=f"{one.says}, and {other.says}", factor=one.factor * other.factor)
