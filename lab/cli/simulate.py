"""`windtunnel simulate`: only the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from lab import profiles
from lab.errors import UserError
from lab.scenarios import load


@click.command("simulate")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the run; default: runs/<time>/simulated.")
@click.option("--profile", "profile_path", type=click.Path(path_type=Path), help="Calibration profile to use.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, help="Factor on every CPU demand.")
@click.option("--force", is_flag=True, help="Replace a run that is in the folder already.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as JSON.")
def command(
    scenario: Path, out: Path | None, profile_path: Path | None, speed: float, force: bool, as_json: bool
) -> None:
    """Simulate SCENARIO and write a run. The same file, seed and profile give the same bytes."""
    from core import run
    from lab.provenance import new_id
    from lab.simulate import simulate
    from lab.terminal import summarize

    read, text = load(scenario)
    chosen = _choose(profile_path)
    folder = out or Path("runs") / new_id() / "simulated"
    _clear(folder, force=force)
    from lab.progress import task

    with task("simulate") as report:
        record = simulate(read, text, chosen.profile, folder, speed=speed, own_profile=chosen.own, report=report)
    if "no_steady_state" in record.facts:
        click.echo(f"note: {record.facts['no_steady_state']}", err=True)
    if as_json:
        click.echo(json.dumps(json.loads((folder / run.RECORD_FILE).read_text(encoding="utf-8"))))
    else:
        click.echo(summarize(run.read(folder)))
        click.echo(f"run     {folder}")


def _choose(path: Path | None) -> profiles.Chosen:
    try:
        return profiles.choose(path)
    except profiles.NoProfileError as error:
        raise UserError(str(error)) from error


def _clear(folder: Path, *, force: bool) -> None:
    from core import run

    if not (folder / run.RECORD_FILE).exists():
        return
    if not force:
        raise UserError(f"{folder} holds a run already; choose another --out, or --force to replace it")
    shutil.rmtree(folder)
