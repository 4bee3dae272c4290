"""An audit as lines of at most 80 columns: the worst first, what agrees counted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from planning.audit import AuditVerdict, Finding, figures
from planning.audit.record import Audited, Audits
from planning.audit.units import ratio
from present.tables import MARKS, closing, ends, faint, missed, table, verdict, wrapped

_INDENT: Final = "    "
#: Bills and numbers of machines that are shown of a design; --all shows every one.
_WORTH_MAX: Final = 5
_HELD: Final = {AuditVerdict.AGREES: True, AuditVerdict.DIFFERS: False, AuditVerdict.UNCHECKED: None}


def render(audits: Audits, *, target: Path, show_all: bool, exit_code: int) -> str:
    """The result of ``windtunnel audit`` as text for `click.echo`."""
    count = len(audits.designs)
    figures_count = sum(len(each.findings) for each in audits.designs)
    right = f"{count} design{'s' if count != 1 else ''}, {figures_count} figures"
    lines = [ends(f"windtunnel audit {target}", right), verdict(audits.sentence, not audits.differs)]
    for each in audits.designs:
        lines += ["", *_design(each, show_all=show_all)]
    return "\n".join([*lines, "", closing(f"next    windtunnel audit {target} --out audit.html", exit_code)])


def _design(audited: Audited, *, show_all: bool) -> Iterable[str]:
    yield from wrapped(f"{audited.scenario.upper()}  {audited.title}")
    if audited.consequences:
        worst = audited.consequences[:_WORTH_MAX] if not show_all else audited.consequences
        rows = [
            [
                each.finding.name,
                figures.amount(each.believed, each.finding),
                figures.amount(each.computed, each.finding),
                figures.times(ratio(each.believed, each.computed)),
            ]
            for each in worst
        ]
        lines, _ = table(["what it is worth", "by its own", "recomputed", "off by"], rows)
        yield faint(lines[0])
        yield from lines[1:]
        yield ""
    shown = audited.findings if show_all else audited.of(AuditVerdict.DIFFERS)
    if shown:
        lines, _ = table(["", "stated", "recomputed", "off by"], [_cells(each) for each in shown])
        yield faint(lines[0])
        for finding, line in zip(shown, lines[1:], strict=True):
            yield missed(line, finding.own_slip)
            texts = [figures.why(finding), f"= {finding.formula}" if finding.own_slip and finding.formula else ""]
            yield from (faint(each) for text in texts for each in wrapped(text, first=_INDENT, rest=_INDENT))
    if not show_all:
        counts = [
            (len(audited.of(AuditVerdict.AGREES)), "agree"),
            (len(audited.of(AuditVerdict.UNCHECKED)), "cannot be checked"),
        ]
        hidden = ", ".join(f"{count} {what}" for count, what in counts if count)
        if hidden:
            yield faint(f"  … {hidden} (--all)")


def _cells(finding: Finding) -> list[str]:
    is_own = finding.verdict is not AuditVerdict.DIFFERS or finding.own_slip
    return [
        f"{MARKS[_HELD[finding.verdict]] if is_own else '↳'} {finding.name}",
        figures.stated(finding),
        figures.amount(finding.recomputed, finding),
        figures.off(finding) if finding.verdict is not AuditVerdict.UNCHECKED else "",
    ]
