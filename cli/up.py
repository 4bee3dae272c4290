"""`windtunnel up`: the stack in the background."""

from __future__ import annotations

from pathlib import Path

import click

from lab import stacks
from lab.runnable import load_for_stack
from records.provenance import ROOT

DEFAULT_SCENARIO = ROOT / "scenarios" / "viral_post_small.yaml"


@click.command("up")
@click.argument("scenario", type=click.Path(path_type=Path), default=DEFAULT_SCENARIO)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of this stack; each folder holds one stack.")
def command(scenario: Path, data: Path | None) -> None:
    """Start the stack of SCENARIO in the background and print where it answers."""
    load_for_stack(scenario)
    stack = stacks.start(scenario.absolute(), stacks.data_folder(data), attached=False)
    click.echo(f"up in {stack.seconds_to_start:.1f} s, {len(stack.processes)} processes, data in {stack.data}")
    click.echo(f"API        {stack.gateway_url}/api/v1")
    click.echo(f"OpenAPI    {stack.gateway_url}/api/v1/docs")
    click.echo(f"media      {stack.media_url}/media")
    click.echo(f"metrics    {stack.prometheus_url}")
    click.echo("next       windtunnel status | logs NAME | down")
