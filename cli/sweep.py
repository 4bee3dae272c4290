"""`windtunnel sweep`: a grid of settings."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options

if TYPE_CHECKING:
    from sim.simulate import EngineName


@click.command("sweep")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "settings",
    multiple=True,
    required=True,
    metavar="FIELD=VALUES",
    help="Values or a range of one field: 1,2,4 or 10/s..100/s:10 or 10..10_000:7log. Repeat for more fields.",
)
@click.option(
    "--replications", type=click.IntRange(min=1), default=1, show_default=True, help="Number of seeds for each setting."
)
@click.option("--show", multiple=True, metavar="FIGURE", help="Figure to show first, such as like.add.p95_seconds.")
@options.study
def command(
    scenario: Path,
    settings: tuple[str, ...],
    replications: int,
    show: tuple[str, ...],
    out: Path | None,
    profile_path: Path | None,
    engine: EngineName,
    workers: int | None,
    scheduler: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Simulate SCENARIO at every combination of the settings.

    Fields and units are those of the scenario file. Finished simulations are kept, so the same command resumes where it
    was stopped; --force starts again.

    \b
    Examples:
      windtunnel sweep scenarios/viral_post_small.yaml \\
          --set traffic.rate=10/s..100/s:10 --replications 5
      windtunnel sweep scenarios/viral_post_small.yaml \\
          --set system.fanout.threshold=10..1_000:3log \\
          --set system.shards.physical=1,2
    """
    from planning.simulations.choose import choose
    from planning.simulations.results import Results
    from planning.simulations.task import setup
    from planning.studies.arguments import axes_of, points_of
    from planning.sweep.files import write
    from planning.sweep.record import record
    from planning.sweep.study import make
    from planning.sweep.text import render
    from present import figures
    from present.progress import task
    from records import provenance

    started = time.monotonic()
    read, text, chosen = options.load_with_profile(scenario, profile_path)
    axes = axes_of(settings)
    points = points_of(text, axes)
    folder = out or options.STUDIES / f"sweep-{read.name}"
    shared = setup(chosen.profile, engine, scenario=read)
    kept = Results(folder, force=force, kind="sweep")
    with kept as results, choose(scheduler, workers) as runner, task("sweep") as report:
        found = make(
            read,
            points,
            axes,
            replications=replications,
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
        click.echo(render(found, folder, show=show, took=figures.took(time.monotonic() - started)))
