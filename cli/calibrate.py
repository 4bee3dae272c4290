"""`windtunnel calibrate`: this machine's durations for the model."""

from __future__ import annotations

from pathlib import Path

import click

from cli.up import DEFAULT_SCENARIO
from core.profile import errors
from lab.runnable import load_for_stack


@click.command("calibrate")
@click.argument("scenario", type=click.Path(path_type=Path), default=DEFAULT_SCENARIO)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the profile; default: your own.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the stack to measure.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=5.0,
    show_default=True,
    help="Seconds that each long measurement takes.",
)
def command(scenario: Path, out: Path | None, data: Path | None, seconds: float) -> None:
    """Measure the CPU demand of every operation and background job on a stack of SCENARIO and write a dated profile.

    Takes about twenty minutes on a quiet machine with two cores. Ctrl-C stops it without writing anything.
    `windtunnel run` and `simulate` use your newest profile.
    """
    from lab.calibrate import calibrate
    from lab.stacks import data_folder
    from present.tables import labelled
    from records import profiles

    read, _ = load_for_stack(scenario)
    profile, points = calibrate(read, data=data_folder(data, "calibrate"), point_seconds=seconds)
    path = profiles.save(profile, out)
    click.echo(f"{'OPERATION':<22}{'RATE':>8}  CPU ms per operation, by process")
    for point in sorted(points, key=lambda each: (each.operation, each.rate_per_second)):
        largest = sorted(point.cpu_seconds.items(), key=lambda item: -item[1])[:5]
        shown = "  ".join(f"{name} {seconds * 1e3:.2f}" for name, seconds in largest if seconds)
        click.echo(f"{point.operation:<22}{point.rate_per_second:>6.4g}/s  {shown}")
    unsure = ", ".join(f"{name} ±{error * 1.96:.0%}" for name, error in sorted(errors(profile).items()))
    for line in labelled("ERRORS", f"95 % intervals of the CPU of operations and jobs: {unsure or 'not known'}"):
        click.echo(line)
    stalls = profile.stalls
    click.echo(f"host    stalls take {stalls.lost_ratio:.2%} of a spinning loop's time")
    if profile.fixed_work is not None:
        click.echo(f"speed   {profile.fixed_work.sentence}")
    click.echo(f"profile {path}")
    if out is None:
        click.echo("        run, drill, simulate, plan and the studies use it from now on: it is your newest")
    else:
        click.echo(f"        use it with: windtunnel run … --profile {path}")
    click.echo("next    windtunnel run scenarios/viral_post_small.yaml")
