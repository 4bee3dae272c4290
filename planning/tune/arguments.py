"""Parses a search's arguments of the command line; each mistake is one readable error."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import UserError
from core.scenario import Scenario
from planning.tune import space
from planning.tune.optimum import WEIGHTS
from planning.tune.space import Dimension


def dimensions_of(texts: Sequence[str], scenario: Scenario) -> tuple[Dimension, ...]:
    """What a search varies, by default what `planning.tune.space.defaults` says; raises GridError."""
    found = tuple(map(space.dimension, texts)) or space.defaults(scenario)
    space.today(scenario, found)  # refuses a field that the scenario does not have
    return found


def weights_of(text: str) -> dict[str, float]:
    """Weights such as ``cost=2,freshness=0``; raises UserError."""
    found: dict[str, float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, amount = part.partition("=")
        try:
            weight = float(amount)
        except ValueError:
            weight = -1.0
        if name not in WEIGHTS or not 0 <= weight < 1e3:
            raise UserError(
                f"--weights {part}: expected {', '.join(WEIGHTS)}, each with a number from 0, such as cost=2"
            )
        found[name] = weight
    return found
