"""An audit as lines of at most 80 columns: the worst first, what agrees counted."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from planning.audit import AuditVerdict, Finding
from planning.audit import figures as audit_figures
from planning.audit.figures import why
from planning.audit.record import Audited, Audits

WIDTH: Final = 80
_NAME: Final = 28
_COLUMN: Final = 20
_OFF: Final = 12
_INDENT: Final = "    "
_MARKS: Final = {AuditVerdict.AGREES: "✓", AuditVerdict.DIFFERS: "✗", AuditVerdict.UNCHECKED: "·"}


def render(audits: Audits, *, target: Path, show_all: bool, exit_code: int) -> str:
    """The result of ``windtunnel audit`` as text for `click.echo`."""
    count = len(audits.designs)
    figures = sum(len(each.findings) for each in audits.designs)
    right = f"{count} design{'s' if count != 1 else ''}, {figures} figures"
    left = f"windtunnel audit {target}"
    room = WIDTH - len(left) - len(right)
    head = f"{left}{' ' * room}{right}" if room >= 3 else f"{left}\n{right.rjust(WIDTH)}"
    sentence = textwrap.fill(audits.sentence, WIDTH - 2, subsequent_indent="  ")
    lines = [head, _missed(f"✗ {sentence}") if audits.differs else f"✓ {sentence}"]
    for each in audits.designs:
        lines += ["", *_design(each, show_all=show_all)]
    follow = f"next    windtunnel audit {target} --out audit.html"
    return "\n".join([*lines, "", follow + f"exit {exit_code}".rjust(max(9, WIDTH - len(follow)))])


def _design(audited: Audited, *, show_all: bool) -> Iterable[str]:
    yield from textwrap.wrap(f"{audited.scenario.upper()}  {audited.title}", WIDTH)
    shown = audited.findings if show_all else audited.of(AuditVerdict.DIFFERS)
    if shown:
        yield _faint(f"{'':<{_NAME}}{'stated':>{_COLUMN}}{'recomputed':>{_COLUMN}}{'off by':>{_OFF}}")
    for each in shown:
        yield from _finding(each)
    if not show_all:
        counts = [
            (len(audited.of(AuditVerdict.AGREES)), "agree"),
            (len(audited.of(AuditVerdict.UNCHECKED)), "cannot be checked"),
        ]
        hidden = ", ".join(f"{count} {what}" for count, what in counts if count)
        if hidden:
            yield _faint(f"  … {hidden} (--all)")


def _finding(finding: Finding) -> Iterable[str]:
    mark = _MARKS[finding.verdict] if finding.verdict is not AuditVerdict.DIFFERS or finding.own_slip else "↳"
    name = f"{mark} {finding.name}"
    off = audit_figures.off(finding) if finding.verdict is not AuditVerdict.UNCHECKED else ""
    stated, computed = audit_figures.stated(finding), audit_figures.amount(finding.recomputed, finding)
    cells = f"{stated:>{_COLUMN}}  {computed:>{_COLUMN - 2}}"
    line = f"{name:<{_NAME}}{cells}{off:>{_OFF}}"
    if len(name) > _NAME:  # a name is never cut: it gets a line of its own
        line = f"{name}\n{'':<{_NAME}}{cells}{off:>{_OFF}}"
    line = "\n".join(_whole(each) for each in line.split("\n"))
    yield _missed(line) if finding.own_slip else line
    texts = [why(finding), f"= {finding.formula}" if finding.own_slip and finding.formula else ""]
    for text in texts:
        lines = textwrap.wrap(text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
        yield from (_faint(each) for each in lines)


def _whole(line: str) -> str:
    """A line whose cells never run into each other, nor over the edge as long as there is room between them."""
    return re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() if len(line) > WIDTH else line.rstrip()


def _missed(text: str) -> str:
    return click.style(text, fg="bright_magenta", bold=True)


def _faint(text: str) -> str:
    return click.style(text, dim=True)
