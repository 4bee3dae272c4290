"""The command group, its exit codes, and how failures are reported.

Exit codes everywhere: 0 held, 99 expectation missed or drill deviated, 2 usage or scenario, 3 aborted, 4 void, 130
Ctrl-C; 1 is left to crashes, as in Python.
"""

from __future__ import annotations

import difflib
import importlib
import signal
import sys
from typing import Any, Final

import click

from core.errors import UserError

#: Command → its help text; the code is `cli.<command>.command`.
COMMANDS: Final = {
    "run": "Simulate a scenario, run it on the real stack, compare, report.",
    "simulate": "Run only the model.",
    "measure": "Run only the real stack.",
    "report": "Compare a run's two sides again and write its report.",
    "calibrate": "Measure this machine's durations for the model.",
    "drill": "Run a chaos drill, predict its outcome and judge it.",
    "plan": "Size and price a fleet for an intent.",
    "tune": "Search for the best threshold, mix, shards and caches.",
    "sweep": "Simulate a grid of settings.",
    "diff": "Compare two scenarios, simulated with common random numbers.",
    "breakpoint": "Find the burst or fault from which a system does not come back.",
    "audit": "Recompute published designs and list what does not add up.",
    "dashboard": "Show runs in the browser.",
    "explain": "Print a scenario with all its defaults.",
    "fields": "Say where a scenario's fields act.",
    "glossary": "Explain a term.",
    "up": "Start the stack in the background.",
    "down": "Stop the stack.",
    "status": "Show the processes of the stack.",
    "logs": "Show the log of one process.",
    "install": "Install the servers that are missing.",
}

EPILOG: Final = """\b
Start here:
  windtunnel run scenarios/viral_post_small.yaml
  windtunnel drill scenarios/drills/redis_slow.yaml
  windtunnel up      then  curl the API that `windtunnel status` shows

\b
Exit codes: 0 held · 99 expectation missed · 2 usage or scenario
            3 aborted · 4 void · 130 Ctrl-C
"""


class Commands(click.Group):
    """Imports a command only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module: Any = importlib.import_module(f"cli.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Commands: {', '.join(COMMANDS)}."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="windtunnel")
def windtunnel() -> None:
    """A wind tunnel for a social feed: a real stack on this machine, a model that must predict it, and drills.

    One scenario file drives both sides. Results go to stdout, progress to stderr.
    """


def _interrupt(_number: int, _frame: object) -> None:
    # SIGTERM acts like Ctrl-C: everything that was started is stopped
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; each expected failure becomes one line of text and an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, _interrupt)
    try:
        result = windtunnel.main(standalone_mode=False, prog_name="windtunnel")
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        sys.exit(130)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
