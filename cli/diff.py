"""`windtunnel diff`: two scenarios, simulated with common random numbers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options

if TYPE_CHECKING:
    from sim.simulate import EngineName


@click.command("diff")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--replications",
    type=click.IntRange(min=3),
    help="Number of pairs of simulations; default 10, at most 50 with --until.",
)
@click.option(
    "--until",
    metavar="RELATIVE",
    help="Simulate until the intervals of the headline figures are at most this wide, such as 2%.",
)
@click.option("--all", "show_all", is_flag=True, help="Show every figure, not only those that differ.")
@options.study
def command(
    first: Path,
    second: Path,
    replications: int | None,
    until: str | None,
    show_all: bool,
    out: Path | None,
    profile_path: Path | None,
    engine: EngineName,
    workers: int | None,
    scheduler: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Compare the scenarios FIRST and SECOND, simulated in pairs with the same seeds.

    Every figure gets its difference with a 95 % interval. "Not distinguishable" is a valid answer.

    \b
    Examples:
      windtunnel diff before.yaml after.yaml
      windtunnel diff before.yaml after.yaml --until 2% --all
    """
    from planning.diff.files import write
    from planning.diff.record import record
    from planning.diff.study import make
    from planning.diff.text import render
    from planning.simulations.choose import choose
    from planning.simulations.results import Results
    from planning.simulations.task import setup
    from planning.studies.arguments import relative
    from present import figures
    from present.progress import task
    from records import provenance
    from records.scenarios import load

    started = time.monotonic()
    width = relative(until)
    ours, _, chosen = options.load_with_profile(first, profile_path)
    theirs, _ = load(second)
    names = (ours.name, theirs.name) if ours.name != theirs.name else (first.stem, second.stem)
    if names[0] == names[1]:
        names = (f"{names[0]} (first)", f"{names[1]} (second)")
    folder = out or options.STUDIES / f"diff-{ours.name}-{theirs.name}"
    shared = setup(chosen.profile, engine, scenario=ours)
    kept = Results(folder, force=force, kind="diff")
    with kept as results, choose(scheduler, workers) as runner, task("diff") as report:
        found = make(
            ours,
            theirs,
            names=names,
            replications=replications or (10 if width is None else 50),
            until=width,
            shared=shared,
            calibration=chosen.profile.id,
            commit=provenance.commit(),
            runner=runner,
            results=results,
            report=report,
        )
    write(found, folder)
    if as_json:
        click.echo(json.dumps(record(found), ensure_ascii=False))
    else:
        took = figures.took(time.monotonic() - started)
        click.echo(render(found, folder, show_all=show_all, took=took))
