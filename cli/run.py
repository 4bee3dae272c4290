"""`windtunnel run`: simulate, measure and compare, once or several times."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from cli import options


@click.command("run")
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=1,
    help="Runs of each scenario; with more than one, medians are reported.",
)
@options.pair
def command(
    scenarios: tuple[Path, ...],
    repeats: int,
    out: Path,
    profile_path: Path | None,
    data: Path | None,
    as_json: bool,
    show_all: bool,
) -> int:
    """Simulate SCENARIO, run it on the real stack under load and faults, compare both and write a report.

    The stack is started for this run, seeded through the public API, and removed at the end. Repeats of several
    scenarios take turns, so that a slow moment of the machine meets all of them; the medians are printed with their
    noise floor (half of the range of the repeats), and the exit code is the worst of the scenarios:

    windtunnel run before.yaml after.yaml --repeats 5
    """
    from lab import pair
    from lab.stacks import data_folder

    started = time.monotonic()
    loaded = [options.load_with_profile(each, profile_path, both_sides=True) for each in scenarios]
    made: list[list[Path]] = [[] for _ in loaded]
    codes: list[int] = []
    for _ in range(repeats):
        for folders, (read, text, chosen) in zip(made, loaded, strict=True):
            began = time.monotonic()
            folder = options.new_folder(out)
            comparison = pair.make(read, text, folder, chosen=chosen, data=data_folder(data, f"run-{folder.name}"))
            folders.append(folder)
            if repeats == 1:
                codes.append(options.show(comparison, folder, "run", as_json=as_json, show_all=show_all, started=began))
            else:
                click.echo(f"{folder.name}  {comparison.scenario}: {comparison.sentence}", err=True)
    if repeats > 1:
        codes = [_summary(folders, as_json=as_json, started=started) for folders in made]
    return max(codes)


def _summary(folders: list[Path], *, as_json: bool, started: float) -> int:
    """Print and keep the medians of one scenario's repeats; returns the exit code."""
    from lab import repeats
    from records.comparison import read_comparison

    found = repeats.summarise([read_comparison(each) for each in folders])
    repeats.write(folders[0], found)
    if as_json:
        click.echo(json.dumps(json.loads((folders[0] / repeats.FILE).read_text(encoding="utf-8"))))
    else:
        click.echo(repeats.render(found, took_seconds=time.monotonic() - started))
    return found.exit_code
