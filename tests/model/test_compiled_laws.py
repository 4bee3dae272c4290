"""The laws on the compiled engine: each is seen to fail when a table is spoiled in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from core.scenario import Scenario
from sim.compiled.engine import CompiledEngine
from sim.compiled.memory import Memory
from sim.compiled.records import TableId
from sim.results.laws import ModelError
from sim.simulate import simulate
from tests.model.small import scenario
from tests.model.synthetic import profile

_SPOILED_AT: Final = 1.0


def _crowd() -> Scenario:
    """More than one core can do, so that there is work in flight everywhere."""
    return scenario(rate="400/s", duration="2s", timeout="1s", admission=False)


def _first(rows: Any, name: str) -> Any:
    """The first row of which there is some."""
    return rows[np.flatnonzero(rows[name] > 0)[0]]


def _spoil(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Memory], None]) -> None:
    sound, memories = CompiledEngine.run, list[Memory]()

    def run(self: CompiledEngine, *, until_seconds: float) -> None:
        sound(self, until_seconds=until_seconds)
        if until_seconds == _SPOILED_AT and not memories:
            memories.append(self._memory)
            spoil(self._memory)

    monkeypatch.setattr(CompiledEngine, "run", run)


def _lose_a_job(memory: Memory) -> None:
    station = _first(memory[TableId.STATIONS], "waiting_count")
    station["waiting"] = memory[TableId.JOBS]["next"][station["waiting"]]
    station["waiting_count"] -= 1


def _lose_an_answer(memory: Memory) -> None:
    asked = memory[TableId.REQUESTS]
    waiting = np.flatnonzero((asked["users"] > 0) & (asked["answered"] == 0))
    asked["answered"][waiting[0]] = 1


def _lose_an_event(memory: Memory) -> None:
    partition = _first(memory[TableId.PARTITIONS], "count")
    memory[TableId.RECORDS]["done"][partition["last"]] = 1


def _forget_a_place(memory: Memory) -> None:
    _first(memory[TableId.POOLS], "taken")["taken"] += 1


def _count_one_too_many(memory: Memory) -> None:
    _first(memory[TableId.TALLIES][2:], "inside")["ended"] += 1


def _stretch_a_sojourn(memory: Memory) -> None:
    memory[TableId.TALLIES]["sojourn"][0] += 0.01


def _widen_an_area(memory: Memory) -> None:
    _first(memory[TableId.TALLIES][2:], "inside")["area"] += 0.01


def _set_the_clock_back(memory: Memory) -> None:
    memory.clock["now"] -= 0.5


def _ring_too_early(memory: Memory) -> None:
    lanes = int(memory.clock["lanes_count"])
    first = lanes + int(np.argmin(memory[TableId.DUES]["time"][lanes:]))
    memory[TableId.DUES]["time"][first] = memory.clock["now"] - 0.001
    memory[TableId.NODES][1] = first


def _begin_in_the_future(memory: Memory) -> None:
    asked = memory[TableId.REQUESTS]
    waiting = np.flatnonzero((asked["users"] > 0) & (asked["answered"] == 0))
    asked["began"][waiting] = 1e6


def _hurry(memory: Memory) -> None:
    stations, remaining = memory[TableId.STATIONS], memory[TableId.JOBS]["remaining"]
    served = stations["first"][stations["serving_count"] > 0]
    remaining[served[np.argmax(remaining[served])]] = 0.0


def _claim_more_work(memory: Memory) -> None:
    job = _first(memory[TableId.STATIONS], "serving_count")["first"]
    memory[TableId.JOBS]["seconds"][job] += 0.01


def _idle_with_work(memory: Memory) -> None:
    _first(memory[TableId.HOSTS], "jobs")["serving"] -= 1


def _serve_too_many(memory: Memory) -> None:
    _first(memory[TableId.STATIONS], "waiting_count")["serving_count"] -= 5


SPOILED: Final[dict[Callable[[Memory], None], tuple[str, str]]] = {
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
def test_a_run_notices(spoil: Callable[[Memory], None], monkeypatch: pytest.MonkeyPatch) -> None:
    law, told = SPOILED[spoil]
    _spoil(monkeypatch, spoil)
    with pytest.raises(ModelError, match=told) as caught:
        simulate(_crowd(), profile(), engine="compiled")
    assert caught.value.law == law
