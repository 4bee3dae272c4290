"""`windtunnel sweep`: a grid of settings."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from cli import options
from core.errors import UserError


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
    study: options.Study,
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
    from planning.simulations.readings import measure_of, subject_of
    from planning.studies import grid
    from planning.sweep.record import record, write
    from planning.sweep.study import make
    from planning.sweep.text import render

    read, text, chosen = options.load_with_profile(scenario, study.profile_path)
    axes = tuple(map(grid.axis, settings))
    points = grid.points(text, axes)
    folder = study.folder(f"sweep-{read.name}")
    with study.simulator("sweep", folder, read, chosen.profile) as simulator:
        found = make(read, points, axes, replications=replications, simulator=simulator)
    write(found, folder)
    known = sorted({figure for reading in found.readings for figure in reading.figures})
    subjects, measures = set(map(subject_of, known)), set(map(measure_of, known))
    for figure in show:
        if subject_of(figure) not in subjects or measure_of(figure) not in measures:
            close = difflib.get_close_matches(figure, known, n=3, cutoff=0.4) or known[:3]
            raise UserError(f"--show {figure}: no simulation has this figure; expected one such as {', '.join(close)}")
    study.show(record(found), lambda took: render(found, folder, show=show, took=took))
