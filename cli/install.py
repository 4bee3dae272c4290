"""`windtunnel install`: the servers that are missing."""

from __future__ import annotations

import click

from core.errors import UserError


@click.command("install")
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=click.Choice(["test", "compose"]),
    help="What to add to the servers: test adds a browser, compose adds a Docker engine.",
)
@click.option("--check", is_flag=True, help="Only list what is missing.")
def command(groups: tuple[str, ...], check: bool) -> None:
    """Install the servers that are missing, as pinned Debian packages, Go modules and Maven artefacts.

    This also compiles the model's engine, which takes about a minute the first time.
    """
    from stack import install
    from stack.failure import StackFailure

    wanted = ("run", *groups)
    try:
        if not check:
            install.ensure(wanted)
            _compile_model()
            return
        missing = install.missing(wanted)
    except StackFailure as failure:
        raise UserError(str(failure)) from failure
    if missing:
        raise UserError(f"missing: {', '.join(missing.names())}; install with: windtunnel install")
    click.echo("nothing is missing")


def _compile_model() -> None:
    from sim.compiled.kept import is_kept

    if not is_kept():
        click.echo("compiling the model's engine …", err=True)
        from sim.compiled.warm import compile_now

        compile_now()
