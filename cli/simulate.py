"""`windtunnel simulate`: only the model."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from core.errors import UserError

if TYPE_CHECKING:
    from core.scenario import Scenario
    from planning.fleet.simulate import FleetRequest
    from records.profiles import Chosen
    from sim.simulate import EngineName


def _finite(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number")
    return value


@click.command("simulate")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the run; default: runs/<time>/simulated.")
@click.option("--profile", "profile_path", type=click.Path(path_type=Path), help="Calibration profile to use.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    default=1.0,
    help="Factor by which every CPU demand is multiplied.",
)
@options.engine
@click.option(
    "--replications",
    type=click.IntRange(min=1),
    help="Number of seeds, or of cells of a fleet; a maximum with --until.",
)
@click.option("--until", metavar="WIDTH", help="Add replications until every p99 is known to ± this; 2% for a fleet.")
@click.option(
    "--check-cells", is_flag=True, help="Also simulate cells twice as large, to see how much the division matters."
)
@click.option("--workers", type=click.IntRange(min=1), help="Number of processes; default: one per core.")
@click.option("--force", is_flag=True, help="Replace an existing run in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the record of the run or fleet as JSON.")
def command(
    scenario: Path,
    out: Path | None,
    profile_path: Path | None,
    speed: float,
    engine: EngineName,
    replications: int | None,
    until: str | None,
    check_cells: bool,
    workers: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Simulate SCENARIO and write a run. The same file, seed and profile give the same bytes.

    For a scenario with cells, enough cells, at most 100, are simulated to know every p99 to ± 2 %, and the figures are
    those of the whole fleet; the run that is written is the first cell's. --replications and --until do the same for
    one system.

    The exit code is 0 even if the model misses an expectation, because a prediction is not a failure.

    \b
    windtunnel simulate scenarios/viral_post_small.yaml
    windtunnel simulate scenarios/viral_post_small.yaml --until 10% --out runs/mine
    windtunnel simulate scenarios/reference/design_a_peak.yaml
    """
    from lab.compare import compare
    from planning.fleet.simulate import FleetRequest
    from planning.studies.arguments import relative
    from records import folders, profiles
    from records.provenance import new_id
    from records.scenarios import load

    read, text = load(scenario)
    request = FleetRequest(
        speed=speed,
        engine=engine,
        replications=replications,
        until=relative(until),
        check_cells=check_cells,
        workers=workers,
    )
    chosen = profiles.choose(profile_path)
    if not chosen.own:
        options.note_of_another_machine(chosen)
    shown = out or Path("runs") / new_id() / "simulated"
    folder = _prepared(shown, force=force)
    with folders.making(folder if out else folder.parent):
        if read.system.cells == 1 and request.of_one_run:
            say = _one(read, text, chosen, folder, request, as_json=as_json)
        else:
            say = _fleet(read, chosen, folder, request, as_json=as_json)
        if out is None and read.system.cells == 1:
            compare(folder.parent)  # the dashboard shows what has been judged
    if folder != shown:
        _replace(shown, by=folder)
    click.echo(say if as_json else f"{say}\nrun     {shown}")


def _one(scenario: Scenario, text: str, chosen: Chosen, folder: Path, request: FleetRequest, *, as_json: bool) -> str:
    from lab.alone import summarize
    from planning.simulations.one import simulate
    from present.progress import task
    from records import run

    with task("simulate") as report:
        simulate(
            scenario,
            text,
            chosen.profile,
            folder,
            speed=request.speed,
            engine=request.engine,
            own_profile=chosen.own,
            report=report,
        )
    if as_json:
        return json.dumps(json.loads((folder / run.RECORD_FILE).read_text(encoding="utf-8")))
    return summarize(run.read(folder))


def _fleet(scenario: Scenario, chosen: Chosen, folder: Path, request: FleetRequest, *, as_json: bool) -> str:
    from planning.fleet import text
    from planning.fleet.simulate import simulate
    from planning.simulations.files import write_json
    from present.progress import task
    from records import provenance

    started = time.monotonic()
    with task("simulate") as report:
        found = simulate(scenario, chosen, folder, request, report=report)
    took = time.monotonic() - started
    record = text.record(found, commit=provenance.commit(), calibration=chosen.profile.id, took_seconds=took)
    write_json(folder / text.RECORD_FILE, record)
    if as_json:
        return json.dumps(record, ensure_ascii=False)
    return text.render(found, commit=provenance.commit(), took_seconds=took)


def _prepared(folder: Path, *, force: bool) -> Path:
    """The folder to write into: this one or, where it holds a run that is to be replaced, one beside it, so that the
    old run is lost only to a complete one."""
    from planning.simulations.results import RESULTS_FILE
    from records import run

    if (folder / RESULTS_FILE).exists():
        raise UserError(f"{folder} holds a study; choose another --out")
    if (folder / run.RECORD_FILE).exists():
        if not force:
            raise UserError(f"{folder} holds a run already; choose another --out, or --force to replace it")
        whole = folder.resolve()  # "." has no name
        folder = whole.with_name(f".{whole.name}.{os.getpid()}")  # two commands may replace it at the same time
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror or error}") from error
    return folder


def _replace(old: Path, *, by: Path) -> None:
    """Put the files of a run in the place of those of another; what else lies there stays. The record goes first and
    comes last: a command that is killed between leaves no run of which a part is another's."""
    from records.run import RECORD_FILE

    for name in (RECORD_FILE, "scenario.yaml", "journal.jsonl", "fleet.json"):
        (old / name).unlink(missing_ok=True)
    for path in old.glob("*.parquet"):
        path.unlink(missing_ok=True)
    for path in sorted(by.iterdir(), key=lambda each: each.name == RECORD_FILE):
        path.replace(old / path.name)
    by.rmdir()
