"""`windtunnel explain`: print a scenario with all its defaults."""

from __future__ import annotations

from pathlib import Path

import click

from core.scenario import explain
from records.scenarios import load


@click.command("explain")
@click.argument("scenario", type=click.Path(path_type=Path))
def command(scenario: Path) -> None:
    """Print SCENARIO with every default filled in, as a valid scenario file."""
    click.echo(explain(load(scenario)[0]), nl=False)
