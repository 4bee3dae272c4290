"""`windtunnel diff`: two scenarios, simulated with common random numbers."""

from __future__ import annotations

from pathlib import Path

import click

from cli import options


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
    study: options.Study,
) -> None:
    """Compare the scenarios FIRST and SECOND, simulated in pairs with the same seeds.

    Every figure gets its difference with a 95 % interval. "Not distinguishable" is a valid answer.

    \b
    Examples:
      windtunnel diff before.yaml after.yaml
      windtunnel diff before.yaml after.yaml --until 2% --all
    """
    from planning.diff.record import record, write
    from planning.diff.study import make
    from planning.diff.text import render
    from planning.studies.arguments import relative
    from records.scenarios import load

    width = relative(until)
    ours, _, chosen = options.load_with_profile(first, study.profile_path)
    theirs, _ = load(second)
    names = (ours.name, theirs.name) if ours.name != theirs.name else (first.stem, second.stem)
    if names[0] == names[1]:
        names = (f"{names[0]} (first)", f"{names[1]} (second)")
    folder = study.folder(f"diff-{ours.name}-{theirs.name}")
    count = replications or (10 if width is None else 50)
    with study.simulator("diff", folder, ours, chosen.profile) as simulator:
        found = make(ours, theirs, names=names, replications=count, until=width, simulator=simulator)
    write(found, folder)
    study.show(record(found), lambda took: render(found, folder, show_all=show_all, took=took))
