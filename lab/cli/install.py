"""`windtunnel install`: the servers that are missing."""

from __future__ import annotations

import click

from lab.errors import UserError


@click.command("install")
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=click.Choice(["servers", "test", "compose"]),
    help="test adds a browser, compose a Docker engine; servers are always included.",
)
@click.option("--check", is_flag=True, help="Only say what is missing.")
def command(groups: tuple[str, ...], check: bool) -> None:
    """Install the servers that are missing: Debian packages, Go modules, Maven artefacts, pinned; once."""
    from stack import install
    from stack.failure import StackFailure

    wanted = ("servers", *(group for group in groups if group != "servers"))
    try:
        missing = install.missing(wanted)
        if check:
            click.echo("\n".join(missing) if missing else "nothing is missing")
            if missing:
                raise UserError(f"{len(missing)} missing; install with: windtunnel install", exit_code=2)
            return
        if missing:
            install.install(wanted, tell=lambda line: click.echo(line, err=True))
    except StackFailure as failure:
        raise UserError(str(failure)) from failure
