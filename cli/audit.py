"""`windtunnel audit`: published designs, computed again."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("audit")
@click.argument("target", type=click.Path(path_type=Path), default=Path("scenarios/reference"))
@click.option("--all", "show_all", is_flag=True, help="Also show what agrees and what cannot be checked.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
@click.option("--out", type=click.Path(path_type=Path), help="Write a report to this file, .html or .md.")
@click.option("--strict", is_flag=True, help="Exit with 99 if a stated figure differs.")
def command(target: Path, show_all: bool, as_json: bool, out: Path | None, strict: bool) -> int:
    """Recompute every figure that a published design states, with units, and list what does not add up.

    TARGET is a scenario with a design, or a folder of them. Finding a contradiction is not a failure: the exit code is
    0 unless --strict is given.

    \b
    Examples:
      windtunnel audit
      windtunnel audit scenarios/reference --all --out audit.html
    """
    from planning.audit import text as audit_terminal
    from planning.audit.record import audit_all, record
    from present import document

    if out is not None:
        document.check(out)
    audits = audit_all(target)
    for path in audits.without:
        click.echo(f"note: {path} has no design and is left out", err=True)
    if out is not None:
        from planning.audit.page import report

        document.write(report(audits), out)
        click.echo(f"wrote {out}", err=True)
    exit_code = 99 if strict and audits.differs else 0
    if as_json:
        click.echo(json.dumps(record(audits)))
    else:
        click.echo(audit_terminal.render(audits, target=target, show_all=show_all, exit_code=exit_code))
    return exit_code
