"""`windtunnel measure`: only the real stack."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli import options
from lab.runnable import check_for_run
from records.scenarios import load


@click.command("measure")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the run; default: runs/<time>/measured.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder for the stack's data during the run.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as JSON.")
def command(scenario: Path, out: Path | None, data: Path | None, as_json: bool) -> int:
    """Run SCENARIO on the real stack under load and faults, and write a run.

    Exit codes: 3 if its drill was aborted, 4 if the run is void."""
    from lab import verdicts
    from lab.alone import summarize
    from lab.measure import measure
    from lab.stacks import data_folder
    from records import folders, profiles, run

    # durations do not matter here, but a scenario that the model refuses must be refused now
    read, text = load(scenario)
    check_for_run(scenario, read, profiles.shipped())
    folder = out or options.new_folder(options.RUNS) / "measured"
    with folders.making(out or folder.parent):
        record = measure(read, text, folder, data=data_folder(data, f"measure-{folder.parent.name}"))
    if as_json:
        click.echo(json.dumps(json.loads((folder / run.RECORD_FILE).read_text(encoding="utf-8"))))
    else:
        click.echo(summarize(run.read(folder)))
        click.echo(f"run     {folder}")
    if verdicts.aborted(run.read(folder)):
        return 3
    return 4 if record.validity.void else 0
