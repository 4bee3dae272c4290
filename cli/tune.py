"""`windtunnel tune`: a search for the best settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli import options
from core.operations import FEED_READ


@click.command("tune")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(min=2), default=48, show_default=True, help="Number of settings to try.")
@click.option(
    "--vary",
    multiple=True,
    metavar="FIELD=RANGE",
    help="What to vary: 10..10_000:log, 40%..80%, or a list 1,2,4; repeat for more fields. "
    "Default: threshold, shard count, feed processes.",
)
@click.option("--operation", default=FEED_READ, show_default=True, help="Operation whose latency counts.")
@click.option("--latency", type=click.Choice(["p50", "p95", "p99"]), default="p99", show_default=True)
@click.option(
    "--weights",
    default="",
    metavar="NAME=NUMBER,…",
    help="Weights of cost, latency and freshness in their product; default 1 each.",
)
@click.option("--sampler", type=click.Choice(["tpe", "nsga2"]), default="tpe", show_default=True)
@click.option(
    "--replications",
    type=click.IntRange(min=3),
    default=8,
    show_default=True,
    help="Number of seeds for each candidate.",
)
@click.option(
    "--search-replications",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of seeds for each setting tried.",
)
@click.option(
    "--few", type=click.IntRange(min=1), default=8, show_default=True, help="Number of candidates to examine again."
)
@options.study
def command(
    scenario: Path,
    vary: tuple[str, ...],
    operation: str,
    latency: str,
    weights: str,
    study: options.Study,
    **numbers: Any,
) -> None:
    """Search for the settings of SCENARIO with the smallest cost × p99 × freshness within its expectations.

    Reports how sure the answer is and whether it differs from the current setting. Finished simulations are kept, so
    the same command resumes where it was stopped.

    \b
    Examples:
      windtunnel tune scenarios/tuning/threshold.yaml
      windtunnel tune scenarios/tuning/threshold.yaml --latency p95 \\
          --vary system.fanout.threshold=10..5_000:log --weights cost=2
    """
    from planning.studies.arguments import operation_of
    from planning.tune.arguments import dimensions_of, weights_of
    from planning.tune.optimum import objectives_of
    from planning.tune.record import record, write
    from planning.tune.study import TuneRequest, make
    from planning.tune.text import render

    read, text, chosen = options.load_with_profile(scenario, study.profile_path)
    request = TuneRequest(
        dimensions=dimensions_of(vary, read),
        objectives=objectives_of(operation_of(operation), latency=latency, weights=weights_of(weights)),
        **numbers,
    )
    folder = study.folder(f"tune-{read.name}")
    with study.simulator("tune", folder, read, chosen.profile) as simulator:
        found = make(read, text, request, simulator=simulator)
    write(found, folder)
    study.show(record(found), lambda took: render(found, folder, command=str(scenario), took=took))
