"""What a design's mistakes are worth: bills and machines by its own figures, beside what its terms give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from planning.audit.check import AuditVerdict, Finding
from planning.audit.judgement import AGREES_WITHIN_RATIO
from planning.audit.units import TIMES, Quantity, ratio, same_kind, units_of

#: Counted things that are bought or rented.
MACHINES: Final = frozenset({"cores", "instances", "nodes", "servers", "shards", "workers"})
_PER_MONTH: Final = units_of().one("$") / units_of().one("month")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """One bill or number of machines: what the design believes, and what follows from its inputs."""

    finding: Finding
    believed: Quantity
    computed: Quantity
    is_money: bool

    @property
    def more(self) -> float:
        """How much more it is than believed, in dollars a month or in machines."""
        return ratio(self.computed - self.believed, _PER_MONTH) if self.is_money else self._machines

    @property
    def _machines(self) -> float:
        assert self.finding.unit is not None
        return ratio(self.computed - self.believed, self.finding.unit.one)


def consequences(findings: Iterable[Finding]) -> tuple[Consequence, ...]:
    """Bills first, then machines; in each the largest difference first."""
    found = [each for finding in findings if (each := _of(finding)) is not None]
    return tuple(sorted(found, key=lambda each: (not each.is_money, -abs(each.more), each.finding.name)))


def _of(finding: Finding) -> Consequence | None:
    """None where it is neither a bill nor machines, or holds."""
    believed = finding.by_its_own if finding.stated is None else finding.stated.value
    computed, unit = finding.recomputed, finding.unit
    if believed is None or computed is None or unit is None or finding.verdict is AuditVerdict.AGREES:
        return None
    is_money = same_kind(unit.one, _PER_MONTH) and unit.below.removeprefix("/") in TIMES  # not those of a user
    if not same_kind(believed, computed) or not (is_money or unit.above in MACHINES):
        return None
    if not computed.magnitude or abs(ratio(believed, computed) - 1.0) <= AGREES_WITHIN_RATIO:
        return None
    return Consequence(finding=finding, believed=believed, computed=computed, is_money=is_money)
