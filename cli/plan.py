"""`windtunnel plan`: a fleet for an intent, sized, priced and explained."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click

from core.errors import UserError
from core.scenario.intent import Term


@click.command("plan")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--profile", "profile_path", type=click.Path(path_type=Path), help="Calibration profile to use.")
@click.option(
    "--term", type=click.Choice(get_args(Term)), help="How all machines are paid for; default: as the intent says."
)
@click.option("--quick", is_flag=True, help="Skip the analysis of uncertain inputs.")
@click.option("--all", "show_all", is_flag=True, help="Show all rejected candidates and all causes of downtime.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.option("--out", type=click.Path(path_type=Path), help="Write a page with charts to this file, .html or .md.")
def command(
    scenario: Path,
    profile_path: Path | None,
    term: Term | None,
    quick: bool,
    show_all: bool,
    as_json: bool,
    out: Path | None,
) -> int:
    """Size and price a fleet for the demand and the intent of SCENARIO.

    Exits with 99 if a limit or the availability does not hold, which can happen when the intent gives the fleet.
    """
    from cli.options import load_with_profile
    from core.scenario.intent import DEFAULT, Intent
    from planning.cost import prices
    from planning.cost.prices import PriceError
    from planning.plan import text as terminal
    from planning.plan.answer import make
    from planning.plan.brief import PlanError
    from planning.plan.record import record
    from present import document

    started = time.monotonic()
    if out is not None:
        document.check(out)
    read, text, chosen = load_with_profile(scenario, profile_path)
    if term is not None:
        read = replace(read, intent=replace(read.intent or Intent(), term={DEFAULT: term}))
    try:
        book = prices.read(read.prices, beside=scenario.parent)
        plan = make(read, chosen.profile, book, today=datetime.now(UTC).date(), sure=not quick)
    except (PlanError, PriceError) as error:
        raise UserError(f"{scenario}: {error}") from error
    if out is not None:
        from planning.plan.page import content  # importing the charts is slow

        document.write(content(plan, text), out)
    if as_json:
        click.echo(json.dumps(record(plan)))
    else:
        took = time.monotonic() - started
        click.echo(terminal.render(plan, show_all=show_all, took_seconds=took, path=str(out or "")))
    return 0 if plan.held else 99
