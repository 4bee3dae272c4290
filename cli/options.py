"""Shared by several commands: options, the choice of a profile, the folder of a new pair, printing of a result."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import UserError
from core.profile import Profile
from core.scenario import Scenario
from lab.runnable import check_for_run
from records import profiles
from records.comparison import Comparison
from records.scenarios import load

if TYPE_CHECKING:
    from planning.simulations.simulator import Simulator
    from sim.simulate import EngineName

RUNS = Path("runs")
STUDIES = Path("studies")


def pair(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of commands that make a pair of runs."""
    for option in (
        click.option("--all", "show_all", is_flag=True, help="Show every operation, not only the worst."),
        click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON."),
        click.option("--data", type=click.Path(path_type=Path), help="Folder for the stack's data during the run."),
        click.option("--profile", "profile_path", type=click.Path(path_type=Path), help="Calibration profile to use."),
        click.option("--out", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Folder of runs."),
    ):
        command = option(command)
    return command


class _Engines(click.Choice[str]):
    """Names of engines; a removed one is refused, with its replacement."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "feedforward":
            self.fail("the feed-forward engine was removed; auto and compiled give the same figures", param, ctx)
        return super().convert(value, param, ctx)


engine = click.option(
    "--engine",
    type=_Engines(["auto", "simpy", "compiled"]),
    default="auto",
    show_default=True,
    help="Simulation engine; auto uses SimPy for few requests and compiled code otherwise, with the same results.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The values of the options in `study`."""

    out: Path | None
    profile_path: Path | None
    engine: EngineName
    workers: int | None
    scheduler: str | None
    force: bool
    as_json: bool
    started: float = field(default_factory=time.monotonic)

    def folder(self, name: str) -> Path:
        """The folder of the study, by default one of that name."""
        return self.out or STUDIES / name

    @contextmanager
    def simulator(self, kind: str, folder: Path, scenario: Scenario, profile: Profile) -> Iterator[Simulator]:
        """Simulates a study of this kind; its results are kept in ``folder``."""
        from planning.simulations.choose import choose
        from planning.simulations.results import Results
        from planning.simulations.simulator import Simulator, StudySource
        from planning.simulations.task import setup
        from present.progress import task
        from records import provenance

        shared = setup(profile, self.engine, scenario=scenario, draws_demands=True)
        source = StudySource(
            commit=provenance.commit(),
            engine=shared.engine,
            calibration=profile.id,
            draws_demands=shared.draws_demands,
        )
        kept = Results(folder, force=self.force, kind=kind)
        with kept as results, choose(self.scheduler, self.workers) as runner, task(kind) as report:
            yield Simulator(shared=shared, runner=runner, results=results, source=source, report=report)

    def show(self, record: Mapping[str, Any], text: Callable[[str], str]) -> None:
        """Print the record as JSON if that was asked for, otherwise the text, which is given the time taken."""
        from present import figures

        if self.as_json:
            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo(text(figures.took(time.monotonic() - self.started)))


def study(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of commands that simulate many times, which get them as one `Study`."""
    names = [each.name for each in fields(Study) if each.name != "started"]

    @functools.wraps(command)
    def with_study(**values: Any) -> Any:
        own = {name: values.pop(name) for name in names}
        return command(study=Study(**own), **values)

    with_options: Callable[..., Any] = with_study
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--force", is_flag=True, help="Discard what was simulated before and start again."),
        click.option("--scheduler", metavar="ADDRESS", help="A Dask cluster to run on, such as tcp://127.0.0.1:8786."),
        click.option("--workers", type=click.IntRange(min=1), help="Number of processes; default: one per core."),
        engine,
        click.option("--profile", "profile_path", type=click.Path(path_type=Path), help="Calibration profile to use."),
        click.option("--out", type=click.Path(path_type=Path), help="Folder of the study; default: studies/…"),
    ):
        with_options = option(with_options)
    return with_options


def load_with_profile(
    scenario: Path, profile_path: Path | None, *, both_sides: bool = False
) -> tuple[Scenario, str, profiles.Chosen]:
    """The scenario, its text and the profile, with a note if the profile is from another machine. Raises UserError;
    with ``both_sides`` also for what only the real stack refuses."""
    read, text = load(scenario)
    chosen = profiles.choose(profile_path)
    if both_sides:
        check_for_run(scenario, read, chosen.profile)
    if not chosen.own:
        note_of_another_machine(chosen)
    return read, text, chosen


def note_of_another_machine(chosen: profiles.Chosen) -> None:
    """Say on stderr where durations are from."""
    click.echo(
        f"note: durations are from another machine ({chosen.profile.id}); measure yours with: windtunnel calibrate",
        err=True,
    )


def new_folder(out: Path) -> Path:
    """Create a folder for a pair, named after the current time; raises UserError if that fails."""
    from records.provenance import new_id

    base = new_id()
    for name in (base, *(f"{base}-{number}" for number in range(2, 100))):
        folder = out / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"{folder}: {error.strerror}; choose another --out") from error
        return folder
    raise UserError(f"{out} has a hundred runs of this second already")


def show(
    comparison: Comparison, folder: Path, command: str, *, as_json: bool, show_all: bool, started: float | None = None
) -> int:
    """Print the result; returns the exit code."""
    from lab.terminal import render

    if as_json:
        click.echo(json.dumps(json.loads((folder / "comparison.json").read_text(encoding="utf-8"))))
    else:
        took = None if started is None else time.monotonic() - started
        click.echo(render(comparison, folder=folder, command=command, show_all=show_all, took_seconds=took))
    return comparison.exit_code
