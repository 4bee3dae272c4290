"""The laws on the compiled engine: each is seen to fail when a table is spoiled in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from core.scenario import Scenario
from sim.compiled.engine import Engine
from sim.compiled.world import World
from sim.results.laws import ModelError
from sim.simulate import simulate
from tests.model.small import scenario
from tests.model.synthetic import profile

_SPOILED_AT: Final = 1.0


def _crowd() -> Scenario:
    """More than one core can do, so that something is under way everywhere."""
    return scenario(rate="300/s", duration="2s", timeout="1s")


def _first(rows: Any, name: str) -> Any:
    """The first row of which there is some."""
    return rows[np.flatnonzero(rows[name] > 0)[0]]


def _spoil(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[World], None]) -> None:
    sound, worlds = Engine.run, list[World]()

    def run(self: Engine, *, until_seconds: float) -> None:
        sound(self, until_seconds=until_seconds)
        if until_seconds == _SPOILED_AT and not worlds:
            worlds.append(self._world)
            spoil(self._world)

    monkeypatch.setattr(Engine, "run", run)


def _lose_a_job(world: World) -> None:
    station = _first(world["STATIONS"], "waiting_count")
    station["waiting"] = world["JOBS"]["next"][station["waiting"]]
    station["waiting_count"] -= 1


def _lose_an_answer(world: World) -> None:
    asked = world["REQUESTS"]
    waiting = np.flatnonzero((asked["users"] > 0) & (asked["answered"] == 0))
    asked["answered"][waiting[0]] = 1


def _lose_an_event(world: World) -> None:
    partition = _first(world["PARTITIONS"], "count")
    world["RECORDS"]["done"][partition["last"]] = 1


def _forget_a_place(world: World) -> None:
    _first(world["POOLS"], "taken")["taken"] += 1


def _count_one_too_many(world: World) -> None:
    _first(world["TALLIES"][2:], "inside")["ended"] += 1


def _stretch_a_sojourn(world: World) -> None:
    world["TALLIES"]["sojourn"][0] += 0.01


def _widen_an_area(world: World) -> None:
    _first(world["TALLIES"][2:], "inside")["area"] += 0.01


def _set_the_clock_back(world: World) -> None:
    world.clock["now"] -= 0.5


def _ring_too_early(world: World) -> None:
    lanes = int(world.clock["lanes_count"])
    first = lanes + int(np.argmin(world["DUES"]["time"][lanes:]))
    world["DUES"]["time"][first] = world.clock["now"] - 0.001
    world["NODES"][1] = first


def _begin_in_the_future(world: World) -> None:
    asked = world["REQUESTS"]
    waiting = np.flatnonzero((asked["users"] > 0) & (asked["answered"] == 0))
    asked["began"][waiting] = 1e6


def _hurry(world: World) -> None:
    _first(world["HOSTS"], "active")["virtual"] += 0.002


def _claim_more_work(world: World) -> None:
    job = _first(world["STATIONS"], "serving_count")["first"]
    world["JOBS"]["seconds"][job] += 0.01


def _idle_with_work(world: World) -> None:
    _first(world["HOSTS"], "active")["serving"] -= 1


def _serve_too_many(world: World) -> None:
    _first(world["STATIONS"], "waiting_count")["serving_count"] -= 5


SPOILED: Final[dict[Callable[[World], None], tuple[str, str]]] = {
    _lose_a_job: ("conservation", "came"),
    _lose_an_answer: ("conservation", "never ended"),
    _lose_an_event: ("conservation", "on the log"),
    _forget_a_place: ("conservation", "came"),
    _count_one_too_many: ("conservation", "came"),
    _stretch_a_sojourn: ("Little's law", "requests"),
    _widen_an_area: ("Little's law", "area"),
    _set_the_clock_back: ("causality", "compiled engine"),
    _ring_too_early: ("causality", "compiled engine"),
    _begin_in_the_future: ("causality", "compiled engine"),
    _hurry: ("work conservation", "gave"),
    _claim_more_work: ("work conservation", "gave"),
    _idle_with_work: ("work conservation (idle with work)", "gave"),
    _serve_too_many: ("capacity", "compiled engine"),
}


def test_a_crowd_keeps_every_law() -> None:
    result = simulate(_crowd(), profile(), engine="compiled")  # raises where a law is broken
    assert result.engine == "compiled"
    assert result.outcomes.count == len(result.samples) > 0


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__.strip("_"))
def test_a_run_notices(spoil: Callable[[World], None], monkeypatch: pytest.MonkeyPatch) -> None:
    law, told = SPOILED[spoil]
    _spoil(monkeypatch, spoil)
    with pytest.raises(ModelError, match=told) as caught:
        simulate(_crowd(), profile(), engine="compiled")
    assert caught.value.law == law
