"""`windtunnel breakpoint`: the smallest burst or fault from which a system does not come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from cli import options


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
    seed: int | None,
    study: options.Study,
) -> None:
    """Find the smallest burst from which SCENARIO does not come back while its normal load stays.

    A burst is a time with a multiple of traffic.rate. After it the normal load goes on, and the system is watched: it
    has come back when it holds its expectations again. If it does not, the command also finds the load to which it must
    fall to recover. A scenario that always comes back gets the longest time that took.

    All of this is found on the model, by bisection under common random numbers. Viral post and faults of the scenario
    are left out, except for --fault. Finished simulations are kept, so the same command resumes where it was stopped.

    \b
    Examples:
      windtunnel breakpoint scenarios/breakpoint/admission_off.yaml
      windtunnel breakpoint scenarios/breakpoint/admission_on.yaml \\
          --length 2s,5s,20s
      windtunnel breakpoint scenarios/drills/redis_slow.yaml \\
          --fault feed_redis --longest 30s
    """
    from planning.breakpoint import arguments
    from planning.breakpoint.record import record, write
    from planning.breakpoint.study import BreakpointRequest, make
    from planning.breakpoint.text import render

    read, _, chosen = options.load_with_profile(scenario, study.profile_path)
    if seed is not None:
        read = replace(read, seed=seed)
    request = BreakpointRequest(
        disturbances=arguments.disturbances(read, lengths=lengths, up_to=up_to, fault=fault, longest=longest),
        resolution_ratio=arguments.resolution(resolution),
        observe_seconds=arguments.time("--observe", observe),
        replications=replications,
    )
    folder = study.folder(f"breakpoint-{read.name}")
    with study.simulator("breakpoint", folder, read, chosen.profile) as simulator:
        found = make(read, request, simulator=simulator)
    write(found, folder)
    study.show(record(found), lambda took: render(found, folder, took=took))
