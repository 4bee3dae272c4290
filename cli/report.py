"""`windtunnel report`: compare the two sides of a run again."""

from __future__ import annotations

from pathlib import Path

import click

from cli import options
from core.errors import UserError


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--all", "show_all", is_flag=True, help="Show every operation, not only the worst.")
def command(folder: Path, as_json: bool, show_all: bool) -> int:
    """Compare the two sides in FOLDER (runs/<id>) again and write report.html and report.md."""
    from lab.compare import NothingToCompareError, compare
    from lab.report import write

    try:
        comparison = compare(folder)
    except NothingToCompareError as error:
        raise UserError(str(error)) from error
    write(folder)
    return options.show(comparison, folder, "report", as_json=as_json, show_all=show_all)
