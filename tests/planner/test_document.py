"""Our column in docs/PLANNER.md is what the code computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.bounds import REQUESTS_UNDER_WAY_MAX
from core.profile import Profile
from core.scenario.intent import UNCERTAIN
from planning.cost.prices import PriceBook
from planning.plan.certainty.uncertainty import SAMPLES
from planning.plan.queueing.latency import ERROR_RATIO
from planning.plan.sizing.tiers import LOG_COPIES, MEMORY_RATIO
from tests.planner import peers
from tests.planner.peers import Answer

TEXT = (Path(__file__).parents[2] / "docs" / "PLANNER.md").read_text(encoding="utf-8")


def row(ask: str) -> tuple[str, str, str]:
    """(machines, dollars a year, what binds) of our side."""
    line = next(each for each in TEXT.splitlines() if each.startswith(f"| {ask},"))
    cells = [each.strip() for each in line.strip("| ").split("|")]
    return cells[3], cells[4], cells[5]


def told(answer: Answer) -> tuple[str, str, str]:
    shape = answer.shape.removeprefix("vm.")
    return f"{answer.machines} {shape}", f"{answer.dollars_year:,.0f}", answer.binds.resource


@pytest.mark.parametrize(("ask", "answer"), [("cache", peers.cache), ("log", peers.log), ("database", peers.database)])
def test_the_column_of_a_store_is_what_the_planner_answers(ask: str, answer: object, book: PriceBook) -> None:
    assert callable(answer)
    assert row(ask) == told(answer(book))


def test_the_column_of_the_stateless_service_and_how_sure_it_is(shipped: Profile, book: PriceBook) -> None:
    answer, known = peers.stateless(shipped, book)
    assert row("stateless") == told(answer)
    flat = " ".join(TEXT.split())
    assert f"this fleet is short in {known.short_ratio:.0%}".replace("%", " %") in flat
    least = f"regret is least at {known.least_regret:.2f} × of it ({known.least_regret * answer.machines:.0f} machines)"
    assert least in flat
    assert f"which is short in {known.least_regret_short:.0%}".replace("%", " %") in flat


def test_constants_are_what_they_are_said_to_be() -> None:
    flat = " ".join(TEXT.split())
    assert f"± {ERROR_RATIO * 100:.0f} %" in flat
    assert f"{SAMPLES:,} base samples" in flat
    assert f"places for requests ({REQUESTS_UNDER_WAY_MAX})" in flat
    assert f"× {LOG_COPIES} copies kept" in flat
    assert f"{MEMORY_RATIO * 100:.0f} % of a node's memory" in flat


def test_every_field_of_an_intent_is_told() -> None:
    from dataclasses import fields

    from core.scenario.demand import Demand
    from core.scenario.fields import written_name
    from core.scenario.intent import Intent

    for kind in (Demand, Intent):
        for each in fields(kind):
            assert f"`{written_name(each.name)}`" in TEXT, each.name
    assert "demand" in UNCERTAIN
