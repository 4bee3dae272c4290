"""An audit as a report: a table for each design, as a page or as Markdown."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from planning.audit import AuditVerdict, Finding
from planning.audit import figures as audit_figures
from planning.audit.record import Audited, Audits
from present import markdown, page
from present.parts import Report, Row, Section, Table

FORMS = {".html": page.render, ".md": markdown.render}
_HEAD = ("figure", "verdict", "stated", "recomputed", "off by", "what it is", "from")


def write(audits: Audits, path: Path) -> None:
    """Write the report, as HTML or Markdown by the file's name. Raises UserError."""
    form = FORMS.get(path.suffix)
    if form is None:
        raise UserError(f"{path}: expected a name that ends in {' or '.join(FORMS)}")
    try:
        path.write_text(form(report(audits)), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; choose another --out") from error


def report(audits: Audits) -> Report:
    """The whole audit."""
    return Report(
        title="Published designs, recomputed",
        sentence=audits.sentence,
        good=not audits.differs,
        caption="off by: the stated figure over the recomputed one. The mistake named is a conjecture from this alone.",
        says="",
        sections=tuple(_section(each) for each in audits.designs),
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
        tables=(Table(head=_HEAD, rows=tuple(_row(each) for each in audited.findings), texts=frozenset({0, 1, 5, 6})),),
    )


def _row(finding: Finding) -> Row:
    off = audit_figures.off(finding) if finding.verdict is not AuditVerdict.UNCHECKED else ""
    cells = (
        finding.name,
        f"{finding.verdict}: {audit_figures.why(finding)}",
        audit_figures.stated(finding),
        audit_figures.amount(finding.recomputed, finding),
        off,
        finding.says,
        finding.formula,
    )
    return Row(cells=cells, mark="missed" if finding.own_slip else "")
