"""An audit as a report, as a page or as Markdown: for each design what its mistakes are worth, then every figure."""

from __future__ import annotations

from planning.audit import AuditVerdict, Finding
from planning.audit import figures as audit_figures
from planning.audit.consequences import Consequence
from planning.audit.record import Audited, Audits
from planning.audit.units import ratio
from present.parts import Report, Row, Section, Table, row

_WORTH = ("what it is", "by its own figures", "recomputed", "off by", "because")
_HEAD = ("figure", "verdict", "stated", "recomputed", "off by", "what it is", "from")


def report(audits: Audits) -> Report:
    return Report(
        title="Published designs, recomputed",
        sentence=audits.sentence,
        good=not audits.differs,
        caption="off by: the stated figure over the recomputed one. The mistake named is a conjecture from this alone.",
        says="",
        sections=(
            *(_worth(each) for each in audits.designs if each.consequences),
            *(_section(each) for each in audits.designs),
        ),
    )


def _worth(audited: Audited) -> Section:
    return Section(
        title=f"What the mistakes of {audited.scenario} are worth",
        sentences=(f"{audited.title[:1].upper()}{audited.title[1:]}. Bills first, then machines.",),
        tables=(Table.of(_WORTH, map(_consequence, audited.consequences), 3, 4),),
    )


def _consequence(each: Consequence) -> Row:
    finding = each.finding
    return row(
        finding.says or finding.name,
        audit_figures.amount(each.believed, finding),
        audit_figures.amount(each.computed, finding),
        audit_figures.times(ratio(each.believed, each.computed)),
        audit_figures.because(finding),
    )


def _section(audited: Audited) -> Section:
    counts = ", ".join(
        f"{count} {what}"
        for count, what in (
            (len(audited.own_slips), "differ by their own arithmetic"),
            (len(audited.carried_on), "carry that on"),
            (len(audited.of(AuditVerdict.AGREES)), "agree"),
            (len(audited.of(AuditVerdict.UNCHECKED)), "cannot be checked"),
        )
        if count
    )
    source = (f"Source: {audited.source}.",) if audited.source else ()
    return Section(
        title=f"{audited.scenario}: {audited.title}",
        sentences=(*source, f"{counts[:1].upper()}{counts[1:]}."),
        tables=(Table.of(_HEAD, map(_row, audited.findings), 1, 5, 6),),
    )


def _row(finding: Finding) -> Row:
    off = audit_figures.off(finding) if finding.verdict is not AuditVerdict.UNCHECKED else ""
    return row(
        finding.name,
        f"{finding.verdict}: {audit_figures.why(finding)}",
        audit_figures.stated(finding),
        audit_figures.amount(finding.recomputed, finding),
        off,
        finding.says,
        finding.formula,
        mark="missed" if finding.own_slip else "",
    )
