"""Reads and audits the designs that a command names, and makes a JSON record of the result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.scenario.reader import line_of
from planning.audit import AuditVerdict, DesignError, Finding, audit
from planning.audit.consequences import Consequence, consequences
from planning.audit.figures import amount
from planning.audit.units import ratio
from records.scenarios import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One design and what was found; the worst findings first."""

    file: Path
    scenario: str
    title: str
    source: str
    findings: tuple[Finding, ...]

    @property
    def consequences(self) -> tuple[Consequence, ...]:
        """What the mistakes are worth, the worst first."""
        return consequences(self.findings)

    @property
    def own_slips(self) -> tuple[Finding, ...]:
        """Figures that differ by their own arithmetic."""
        return tuple(each for each in self.findings if each.own_slip)

    @property
    def carried_on(self) -> tuple[Finding, ...]:
        """Figures that differ only because of earlier ones."""
        return tuple(each for each in self.findings if each.verdict is AuditVerdict.DIFFERS and not each.own_slip)

    def of(self, verdict: AuditVerdict) -> tuple[Finding, ...]:
        """Figures with this verdict."""
        return tuple(each for each in self.findings if each.verdict is verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audits:
    """All designs that were audited, and the scenarios beside them that have none."""

    designs: tuple[Audited, ...]
    without: tuple[Path, ...]

    @property
    def differs(self) -> bool:
        """Whether any stated figure differs."""
        return any(each.of(AuditVerdict.DIFFERS) for each in self.designs)

    @property
    def sentence(self) -> str:
        own = sum(len(each.own_slips) for each in self.designs)
        carried = sum(len(each.carried_on) for each in self.designs)
        agree = sum(len(each.of(AuditVerdict.AGREES)) for each in self.designs)
        checked = own + carried + agree
        if not checked:
            return "none of the figures can be checked"
        if not own + carried:
            return f"all {checked} stated figures that can be checked agree"
        also = f", {carried} carry {'that' if own == 1 else 'those'} on" if carried else ""
        return f"{own + carried} of {checked} stated figures differ: {own} by their own arithmetic{also}"


def audit_all(target: Path) -> Audits:
    """Audit the design in a file, or all designs in a folder; raises UserError."""
    if not target.is_dir():
        audited = _audit(target)
        if audited is None:
            raise UserError(f"{target}: this scenario has no design; docs/AUDIT.md says how to write one")
        return Audits(designs=(audited,), without=())
    files = sorted(target.glob("*.yaml"))
    found = {file: _audit(file) for file in files}
    designs = tuple(each for each in found.values() if each is not None)
    if not designs:
        raise UserError(f"{target}: no scenario with a design in this folder; scenarios/reference has some")
    return Audits(designs=designs, without=tuple(file for file in files if found[file] is None))


def _audit(file: Path) -> Audited | None:
    scenario, text = load(file)
    if scenario.design is None:
        return None
    try:
        findings = audit(scenario.design)
    except DesignError as error:
        lines = [
            f"{file}:{line_of(text, flaw.path)}: {'.'.join(map(str, flaw.path))}: found {flaw.found}; {flaw.expected}"
            for flaw in error.flaws
        ]
        raise UserError("\n  ".join([f"{file} cannot be audited:", *lines])) from error
    return Audited(
        file=file,
        scenario=scenario.name,
        title=scenario.design.title,
        source=scenario.design.source,
        findings=tuple(sorted(findings, key=_worst_first)),
    )


def _worst_first(finding: Finding) -> tuple[int, float]:
    """Sort key: own mistakes, then those carried on, then what agrees; within each by how far off."""
    order = {AuditVerdict.DIFFERS: 0, AuditVerdict.AGREES: 2, AuditVerdict.UNCHECKED: 3}[finding.verdict]
    if finding.verdict is not AuditVerdict.DIFFERS:
        return order, 0.0
    off = finding.own_off_ratio if finding.own_slip else finding.off_ratio
    factor = max(off, 1 / off) if off is not None and off > 0 else float("inf")  # another kind or sign is the worst
    return order if finding.own_slip else order + 1, -factor


def record(audits: Audits) -> dict[str, Any]:
    return {
        "sentence": audits.sentence,
        "designs": [
            {
                "scenario": each.scenario,
                "file": str(each.file),
                "title": each.title,
                "source": each.source,
                "worth": [_worth(one) for one in each.consequences],
                "figures": list(_records(each.findings)),
            }
            for each in audits.designs
        ],
    }


def _worth(each: Consequence) -> dict[str, Any]:
    return {
        "name": each.finding.name,
        "says": each.finding.says,
        "by_its_own_figures": amount(each.believed, each.finding),
        "recomputed": amount(each.computed, each.finding),
        "more_dollars_per_month" if each.is_money else "more_machines": each.more,
    }


def _records(findings: Iterable[Finding]) -> Iterable[dict[str, Any]]:
    for each in findings:
        unit = each.unit
        in_unit = ratio(each.recomputed, unit.one) if each.recomputed is not None and unit is not None else None
        yield {
            "name": each.name,
            "says": each.says,
            "from": each.formula,
            "verdict": each.verdict.value,
            "reason": each.reason,
            "own_slip": each.own_slip,
            "conjecture": each.conjecture,
            "follows_from": list(each.follows_from),
            "assumed": list(each.assumed),
            "stated": each.stated.text if each.stated is not None else None,
            "recomputed": amount(each.recomputed, each),
            "by_its_own_figures": amount(each.by_its_own, each),
            "recomputed_in_unit": in_unit,
            "unit": f"{unit.above}{unit.below}" if unit is not None else "",
            "stated_over_recomputed": each.off_ratio,
            "stated_over_its_own_figures": each.own_off_ratio,
        }
