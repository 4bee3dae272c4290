"""`windtunnel status`: what runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from lab import stacks
from lab.errors import UserError


@click.command("status")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the stack.")
@click.option("--env", "as_env", is_flag=True, help='Print addresses as shell variables: eval "$(… --env)".')
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def command(data: Path | None, as_env: bool, as_json: bool) -> None:
    """Show every process of the stack: state, port, memory, CPU time, restarts."""
    from stack import control

    folder = stacks.data_folder(data)
    try:
        if as_env:
            stack = control.read(folder)
            click.echo(f"GATEWAY={stack.gateway_url}\nMEDIA={stack.media_url}\nPROMETHEUS={stack.prometheus_url}")
            return
        rows = control.status(folder)
    except control.StackFailure as failure:
        raise UserError(str(failure)) from failure
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    click.echo(f"{'NAME':<12}{'STATE':<10}{'PID':>8}{'PORT':>7}{'MEMORY':>10}{'CPU':>9}{'RESTARTS':>10}{'UP':>8}")
    for row in rows:
        click.echo(
            f"{row.name:<12}{row.state:<10}{row.pid or '–':>8}{row.port:>7}{row.rss_bytes / 2**20:>6.0f} MiB"
            f"{row.cpu_seconds:>7.1f} s{row.restarts:>10}{row.uptime_seconds:>6.0f} s"
        )
