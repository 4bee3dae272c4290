"""`windtunnel breakpoint`: the smallest burst or fault from which a system does not come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import options
from core.errors import UserError
from core.profile import Profile
from core.scenario import Scenario

if TYPE_CHECKING:
    from planning.breakpoint.study import Breakpoint, BreakpointRequest
    from planning.simulations.readings import Reading
    from planning.simulations.simulator import Simulator


@click.command("breakpoint")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--length",
    "lengths",
    default="10s",
    show_default=True,
    metavar="TIME,…",
    help="Length of the burst; several, such as 2s,5s,20s, give the height for each.",
)
@click.option(
    "--up-to",
    type=click.FloatRange(min=1.0, min_open=True, max=1_000.0),
    default=10.0,
    show_default=True,
    help="Highest burst, as a multiple of the normal load.",
)
@click.option(
    "--fault",
    metavar="TARGET",
    help="Instead of a burst, the scenario's fault on this link or process; its length is searched.",
)
@click.option("--longest", default="60s", show_default=True, metavar="TIME", help="Longest fault, with --fault.")
@click.option(
    "--observe",
    default="60s",
    show_default=True,
    metavar="TIME",
    help="Time after the burst or fault within which the system must come back.",
)
@click.option(
    "--resolution", default="5%", show_default=True, metavar="RELATIVE", help="How narrowly the boundary is bisected."
)
@click.option(
    "--replications", type=click.IntRange(min=1), default=5, show_default=True, help="Number of seeds; most decide."
)
@click.option(
    "--confirm",
    "confirmed",
    is_flag=True,
    help="Run both sides of the boundary on the real stack: up to four runs of some minutes.",
)
@click.option("--runs", type=click.Path(path_type=Path), default=options.RUNS, help="Folder of the runs of --confirm.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder for the stack's data during --confirm.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the first replication; default: the scenario's.")
@options.study
def command(
    scenario: Path,
    lengths: str,
    up_to: float,
    fault: str | None,
    longest: str,
    observe: str,
    resolution: str,
    replications: int,
    confirmed: bool,
    runs: Path,
    data: Path | None,
    seed: int | None,
    study: options.Study,
) -> int:
    """Find the smallest burst from which SCENARIO does not come back while its normal load stays.

    A burst is a time with a multiple of traffic.rate. After it the normal load goes on, and the system is watched: it
    has come back when it holds its expectations again. If it does not, the command also finds the load to which it must
    fall to recover. A scenario that always comes back gets the longest time that took.

    All of this is found on the model, by bisection under common random numbers. With --confirm the real stack is then
    run 15 % below and 15 % above the boundary, or at the highest burst where there is none, and what is measured is
    reported beside what was predicted.

    Viral post and faults of the scenario are left out, except for --fault. Finished simulations are kept, so the same
    command resumes where it was stopped.

    \b
    Examples:
      windtunnel breakpoint scenarios/breakpoint/admission_off.yaml
      windtunnel breakpoint scenarios/breakpoint/admission_on.yaml \\
          --length 2s,5s,20s
      windtunnel breakpoint scenarios/drills/redis_slow.yaml \\
          --fault feed_redis --longest 30s
      windtunnel breakpoint scenarios/breakpoint/admission_off.yaml --confirm
    """
    from planning.breakpoint import arguments
    from planning.breakpoint.record import record, write
    from planning.breakpoint.study import BreakpointRequest, make
    from planning.breakpoint.text import render

    read, _, chosen = options.load_with_profile(scenario, study.profile_path, both_sides=confirmed)
    if seed is not None:
        read = replace(read, seed=seed)
    request = BreakpointRequest(
        disturbances=arguments.disturbances(read, lengths=lengths, up_to=up_to, fault=fault, longest=longest),
        resolution_ratio=arguments.resolution(resolution),
        observe_seconds=arguments.time("--observe", observe),
        replications=replications,
    )
    profile = chosen.profile
    if confirmed:
        _check(read, request)
        profile = _of_this_machine(read, profile)
    folder = study.folder(f"breakpoint-{read.name}")
    predicted: Mapping[float, Sequence[Reading]] = {}
    with study.simulator("breakpoint", folder, read, profile) as simulator:
        found = make(read, request, simulator=simulator)
        if confirmed and found.answers:
            predicted = _predicted(found, simulator)
    write(found, folder)
    if not predicted:
        study.show(record(found), lambda took: render(found, folder, took=took))
        return 0
    from lab import confirm
    from lab.stacks import data_folder

    if not study.as_json:
        click.echo(render(found, folder) + "\n")
    (answer,) = found.answers
    click.echo(confirm.expected(found, answer), err=True)

    def measure(scene: Scenario) -> confirm.ConfirmedPair:
        made = options.new_folder(runs)
        return confirm.measured(scene, made, chosen=chosen, data=data_folder(data, f"run-{made.name}"))

    confirmation = confirm.confirm(found, answer, predicted, measure=measure)
    confirmation_record = confirm.record(confirmation)
    write(found, folder, confirmation=confirmation_record, section=confirm.section(confirmation))
    study.show({**record(found), "confirmation": confirmation_record}, lambda _: confirm.render(confirmation))
    return confirmation.exit_code


def _check(scenario: Scenario, request: BreakpointRequest) -> None:
    """Refuse what could not be confirmed before anything is simulated; raises UserError."""
    from lab import confirm

    if len(request.disturbances) > 1:
        raise UserError("--confirm: expected one --length, because each takes several runs of the real stack")
    (only,) = request.disturbances
    confirm.check(scenario, only, only.most, observe_seconds=request.observe_seconds)


def _of_this_machine(scenario: Scenario, profile: Profile) -> Profile:
    """The profile at the speed of this machine, on which the answer will be confirmed."""
    from lab import confirm

    found, sentence = confirm.of_this_machine(scenario, profile)
    click.echo(f"note: {sentence}", err=True)
    return found


def _predicted(found: Breakpoint, simulator: Simulator) -> Mapping[float, Sequence[Reading]]:
    """What the model says of every amount at which the real stack may be run."""
    from lab import confirm
    from planning.breakpoint.study import predictions

    (answer,) = found.answers
    amounts = confirm.amounts(answer)
    for amount in amounts:
        confirm.check(found.scenario, answer.disturbance, amount, observe_seconds=found.request.observe_seconds)
    trials = predictions(found, answer.disturbance, amounts, simulator=simulator)
    return {amount: trials.at(amount) for amount in amounts}
