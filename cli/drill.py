"""`windtunnel drill`: a chaos drill with a verdict."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cli import options
from core.errors import UserError
from lab.runnable import load_for_stack


@click.command("drill")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be done, without doing it.")
@options.pair
def command(
    scenario: Path,
    dry_run: bool,
    out: Path,
    profile_path: Path | None,
    data: Path | None,
    as_json: bool,
    show_all: bool,
) -> int:
    """Run the drill in SCENARIO: predict it, inject its faults under load, roll back and judge the hypothesis.

    Exit codes: 0 the hypothesis held, 99 it did not, 3 aborted by the drill's own condition, 4 void. The faults are
    removed even if the runner is killed.
    """
    from chaos import experiment
    from lab import pair
    from lab.stacks import data_folder

    started = time.monotonic()
    if dry_run:
        read, _ = load_for_stack(scenario)
    else:
        read, text, chosen = options.load_with_profile(scenario, profile_path, both_sides=True)
    if not read.faults:
        raise UserError(f"{scenario} has no faults, so there is nothing to drill; use windtunnel run")
    planned = experiment.plan(read)
    click.echo(f"HYPOTHESIS  {planned.hypothesis}", err=not dry_run)
    for title, lines in (
        ("METHOD", planned.method),
        ("HOLDS WHEN", planned.steady_state),
        ("ABORT", planned.abort),
        ("ROLLBACK", planned.rollback),
    ):
        for index, line in enumerate(lines):
            click.echo(f"{title if index == 0 else '':<12}{line}", err=not dry_run)
    if dry_run:
        return 0
    folder = options.new_folder(out)
    comparison = pair.make(read, text, folder, chosen=chosen, data=data_folder(data, f"drill-{folder.name}"))
    outcome = pair.drill_outcome(folder)
    if outcome.exit_code != comparison.exit_code:  # for a scenario without a drill section
        comparison = pair.record_outcome(folder, comparison, outcome)
    code = options.show(comparison, folder, "drill", as_json=as_json, show_all=show_all, started=started)
    click.echo(f"DRILL  {outcome.word.value}: {outcome.sentence}", err=as_json)
    return code
