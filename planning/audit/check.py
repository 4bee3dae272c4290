"""Recomputes every figure of a design in two ways and says what a difference is due to.

**Recomputed**: from the inputs, using earlier figures as stated where they agree and as recomputed where they do not.
**By its own figures**: the same formula over the stated figures. If only the first differs, the figure's own arithmetic
is right and it carries on an earlier mistake; if the second differs, the mistake is its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.scenario.design import Design
from planning.audit import diagnosis, expression, judgement, sheet
from planning.audit.amounts import Amount, Unit
from planning.audit.flaws import DesignError, Flaw, UnreadableError
from planning.audit.sheet import Sheet, SheetEntry
from planning.audit.units import Quantity, kind, ratio, same_kind

_Values = dict[str, Quantity]


class AuditVerdict(StrEnum):
    """The verdict on a stated figure."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNCHECKED = "cannot be checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure: as stated, as recomputed, and why they differ."""

    name: str
    says: str
    formula: str
    covers: bool
    verdict: AuditVerdict
    reason: str
    own_slip: bool = False  # it differs by its own arithmetic
    conjecture: str = ""  # the slip that this looks like
    follows_from: tuple[str, ...] = ()  # earlier figures whose mistake it carries on
    assumed: tuple[str, ...] = ()  # inputs it depends on that the design does not state
    stated: Amount | None = None
    recomputed: Quantity | None = None
    by_its_own: Quantity | None = None
    unit: Unit | None = None  # to show them in

    @property
    def off_ratio(self) -> float | None:
        """Stated over recomputed; None if one is missing, of another kind, or zero."""
        return _over(self.stated, self.recomputed)

    @property
    def own_off_ratio(self) -> float | None:
        """Stated over what its formula gives with the other figures as stated."""
        return _over(self.stated, self.by_its_own)


def audit(design: Design) -> tuple[Finding, ...]:
    """Check every stated figure of a design, in its order; raises DesignError if the design cannot be read."""
    read = sheet.read(design)
    given = {**read.units.times(), **{name: amount.value for name, amount in read.given.items()}}
    as_stated, own = _compute(read, given, {})
    values = dict(given)
    findings: dict[str, Finding] = {}
    for name in read.order:
        entry = read.entries[name]
        recomputed = _evaluate(entry, values, read)
        findings[name] = finding = _judge(entry, read, recomputed, own.get(name), as_stated, findings)
        values[name] = _carried(finding, as_stated[name])
    return tuple(findings[name] for name in read.entries)


def _compute(read: Sheet, given: Mapping[str, Quantity], own: dict[str, Quantity]) -> tuple[_Values, _Values]:
    """Every quantity as the design states it, and what each formula gives with those; raises DesignError."""
    as_stated = dict(given)
    flaws: list[Flaw] = []
    for name in read.order:
        entry = read.entries[name]
        if entry.stated is not None:
            as_stated[name] = entry.stated.value
        if not entry.rests_on <= as_stated.keys():
            continue  # the error is reported already
        try:
            found = _evaluate(entry, as_stated, read)
        except DesignError as error:
            flaws += error.flaws
            continue
        if found is not None:
            own[name] = found
            as_stated.setdefault(name, found)
    if flaws:
        raise DesignError(tuple(flaws))
    return as_stated, own


def _evaluate(entry: SheetEntry, values: Mapping[str, Quantity], read: Sheet) -> Quantity | None:
    """The value of an entry's formula; None if it has none. Raises DesignError."""
    if entry.term is None:
        return None
    try:
        found = expression.evaluate(entry.term, values, read.units)
        if not math.isfinite(found.to_base_units().magnitude):
            raise UnreadableError("expected a finite number")
        if entry.stated is None and entry.unit is not None and not same_kind(found, entry.unit.one):
            raise UnreadableError(f"expected {kind(entry.unit.one)} as its unit says, it gives {kind(found)}")
    except UnreadableError as error:
        path = ("design", "stated", entry.name, "from")
        raise DesignError((Flaw(path=path, found=repr(entry.formula), expected=str(error)),)) from error
    return found


def _carried(finding: Finding, stated: Quantity) -> Quantity:
    """The value that later figures are computed from: as stated if it agrees or is a chosen capacity."""
    differs = finding.verdict is AuditVerdict.DIFFERS and finding.off_ratio is not None and not finding.covers
    unstated = finding.stated is None
    return finding.recomputed if (differs or unstated) and finding.recomputed is not None else stated


def _judge(
    entry: SheetEntry,
    read: Sheet,
    recomputed: Quantity | None,
    own: Quantity | None,
    as_stated: Mapping[str, Quantity],
    before: Mapping[str, Finding],
) -> Finding:
    stated, causes = entry.stated, _causes_of(entry, before)
    verdict, own_slip, guess = AuditVerdict.DIFFERS, False, ""
    if stated is None or recomputed is None or own is None:
        verdict, reason = AuditVerdict.UNCHECKED, entry.because
    elif not same_kind(stated.value, recomputed):
        own_slip = True
        reason = f"it is stated as {kind(stated.value)}, its terms give {kind(recomputed)}"
    elif judgement.agrees(stated, recomputed, covers=entry.covers):
        verdict, reason = AuditVerdict.AGREES, judgement.how(stated, recomputed)
    else:
        own_slip = not judgement.agrees(stated, own, covers=entry.covers)
        if own_slip and entry.term is not None and not entry.covers and not entry.explained:
            guess = diagnosis.conjecture(stated, own, entry.term, _beside(entry, read, as_stated), read.units)
        here = entry.explained or (f"looks like: {guess}" if guess else "no known slip explains it")
        # a capacity is chosen, not computed
        reason = "not enough" if own_slip and entry.covers else _how_it_differs(own_slip, here, causes)
    return Finding(
        name=entry.name,
        says=entry.says,
        formula=entry.formula,
        covers=entry.covers,
        verdict=verdict,
        reason=reason,
        own_slip=own_slip,
        conjecture=guess,
        follows_from=causes,
        assumed=tuple(sorted(read.below[entry.name] & read.assumed)),
        stated=stated,
        recomputed=recomputed,
        by_its_own=own,
        unit=entry.unit,
    )


def _causes_of(entry: SheetEntry, before: Mapping[str, Finding]) -> tuple[str, ...]:
    """Figures with a mistake of their own that this one carries on."""
    found: set[str] = set()
    for name in entry.rests_on & before.keys():
        finding = before[name]
        if finding.verdict is AuditVerdict.DIFFERS or finding.stated is None:
            found.update(finding.follows_from)
        if finding.own_slip and not finding.covers:
            found.add(name)
    return tuple(sorted(found))


def _beside(entry: SheetEntry, read: Sheet, values: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Quantities of the design that do not follow from this figure."""
    return {name: each for name, each in values.items() if entry.name not in {name, *read.below.get(name, ())}}


def _how_it_differs(own_slip: bool, here: str, causes: tuple[str, ...]) -> str:
    before = f"follows from {', '.join(causes)}"
    if not own_slip:
        return f"{before}; its own arithmetic holds"
    return f"{here}; besides it {before}" if causes else here


def _over(stated: Amount | None, computed: Quantity | None) -> float | None:
    if stated is None or computed is None or not same_kind(stated.value, computed):
        return None
    found = ratio(stated.value, computed)
    return found if math.isfinite(found) else None
