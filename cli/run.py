"""`windtunnel run`: simulate, measure and compare."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cli import options


@click.command("run")
@click.argument("scenario", type=click.Path(path_type=Path))
@options.pair
def command(
    scenario: Path, out: Path, profile_path: Path | None, data: Path | None, as_json: bool, show_all: bool
) -> int:
    """Simulate SCENARIO, run it on the real stack under load and faults, compare both and write a report.

    The stack is started for this run, seeded through the public API, and removed at the end.
    """
    from lab import pair
    from lab.stacks import data_folder

    started = time.monotonic()
    read, text, chosen = options.load_with_profile(scenario, profile_path, both_sides=True)
    folder = options.new_folder(out)
    comparison = pair.make(read, text, folder, chosen=chosen, data=data_folder(data, f"run-{folder.name}"))
    return options.show(comparison, folder, "run", as_json=as_json, show_all=show_all, started=started)
