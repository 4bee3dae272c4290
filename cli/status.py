"""`windtunnel status`: show the processes of the stack."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from core.errors import UserError
from lab import stacks

_DOWN: Final = 99  # as for a missed expectation
_SAID_MAX: Final = 120  # characters of a log's last line


@click.command("status")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the stack.")
@click.option("--env", "as_env", is_flag=True, help='Print addresses as shell variables: eval "$(… --env)".')
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def command(data: Path | None, as_env: bool, as_json: bool) -> int:
    """Show every process of the stack: state, port, memory, CPU time, restarts and why it last ended.

    Exit codes: 0 everything is ready, 99 something is not, 2 no stack was ever started here.
    """
    from stack import control

    folder = stacks.data_folder(data)
    try:
        if as_env:
            stack = control.read(folder)
            click.echo(f"GATEWAY={stack.gateway_url}\nMEDIA={stack.media_url}\nPROMETHEUS={stack.prometheus_url}")
            return 0
        rows = control.status(folder)
    except control.StackFailure as failure:
        raise UserError(str(failure)) from failure
    trouble = control.trouble(folder)
    code = 0 if all(row.is_up for row in rows) and not trouble else _DOWN
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return code
    click.echo(f"{'NAME':<12}{'STATE':<14}{'PID':>8}{'PORT':>7}{'MEMORY':>10}{'CPU':>9}{'RESTARTS':>10}{'UP':>8}")
    for row in rows:
        click.echo(
            f"{row.name:<12}{row.state:<14}{row.pid or '–':>8}{row.port:>7}{row.rss_bytes / 2**20:>6.0f} MiB"
            f"{row.cpu_seconds:>7.1f} s{row.restarts:>10}{row.uptime_seconds:>6.0f} s"
        )
    for row in rows:
        if row.end:
            at = time.strftime("%H:%M:%S", time.localtime(row.end_at))
            said = f"; its log ended with: {row.end_said[:_SAID_MAX]}" if row.end_said else ""
            click.echo(f"{row.name} ended at {at}: {row.end}{said}")
    for line in trouble:
        click.echo(line)
    return code
