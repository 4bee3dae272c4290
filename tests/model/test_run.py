"""A whole simulated run: repeatable to the byte, complete, and in the format that a measured run has."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import traffic
from core.names import Cache, Origin, Outcome
from core.operations import JOURNEYS, OPERATIONS, steps_of
from core.run import RunRecord
from records import run
from records.scenarios import read
from sim.model.components import all_flows
from sim.model.flow import Lookup, OperationFlow, RemoteCall, Stage, Use, steps, walk
from sim.model.layout import layout_of
from sim.model.offered import offered_per_second
from sim.simulate import Result, simulate
from tests.model.small import MIX, scenario, text
from tests.model.synthetic import QUIET, profile

ROOT = Path(__file__).parent.parent.parent


def _write(folder: Path, result: Result, told: str) -> dict[str, str]:
    record = RunRecord(
        origin=Origin.SIMULATED,
        scenario="small",
        seed=7,
        commit="test",
        engine="simpy",
        warm_up_seconds=1.0,
        duration_seconds=6.0,
        facts=result.facts,
        ledger=result.ledger,
    )
    run.write(
        folder,
        record=record,
        scenario_text=told,
        samples=result.samples,
        usage=result.usage,
        stages=result.stages,
        caches=result.caches,
        journal=result.journal,
    )
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


_FAULTS = [{"at": "2s", "for": "2s", "link": "feed_redis", "latency": "300ms", "jitter": "100ms"}]


def test_two_runs_of_one_seed_are_the_same_bytes(tmp_path: Path) -> None:
    told = text(faults=_FAULTS)
    first = _write(tmp_path / "first", simulate(scenario(faults=_FAULTS), profile()), told)
    second = _write(tmp_path / "second", simulate(scenario(faults=_FAULTS), profile()), told)
    assert first == second
    assert set(first) >= {"samples.parquet", "usage.parquet", "stages.parquet", "caches.parquet", "journal.jsonl"}


def test_another_process_with_another_hash_seed_gives_the_same_samples() -> None:
    program = (
        "import hashlib; from sim.simulate import simulate; from tests.model.small import scenario;"
        " from tests.model.synthetic import profile; r = simulate(scenario(), profile());"
        " print(hashlib.sha256(repr((r.samples.latency_seconds.tolist(), r.usage, r.stages)).encode()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_another_seed_is_another_run() -> None:
    first, second = simulate(scenario(seed=1), profile()), simulate(scenario(seed=2), profile())
    assert first.samples.latency_seconds.tolist() != second.samples.latency_seconds.tolist()


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = simulate(scenario(faults=_FAULTS), profile())
    _write(tmp_path / "run", result, text(faults=_FAULTS))
    back = run.read(tmp_path / "run")
    assert len(back.samples) == len(result.samples)
    assert [event.event for event in back.journal] == ["fault_begins", "fault_ends"]
    assert {row["cache"] for row in back.caches.to_pylist()} == {cache.value for cache in Cache}


def test_every_request_of_the_schedule_has_a_row_for_each_step() -> None:
    asked = scenario()
    result = simulate(asked, profile())
    schedule = traffic.draw_schedule(asked)
    rows = list(zip(result.samples.request, result.samples.step, result.samples.operation, strict=True))
    expected = [
        (number, step, operation)
        for number in range(len(schedule))
        for step, operation in enumerate(steps_of(schedule.acts[int(schedule.act[number])]))
    ]
    assert rows == expected
    first = result.samples.step == 0
    assert result.samples.at_seconds[first].tolist() == schedule.at_seconds.tolist()
    assert (result.samples.latency_seconds > 0).all()


@pytest.mark.parametrize("journey", sorted(JOURNEYS))
def test_a_journeys_step_starts_when_the_one_before_ends(journey: str) -> None:
    samples = simulate(scenario(mix={journey: "100%"}, rate="5/s"), profile()).samples
    ends = samples.at_seconds + samples.latency_seconds
    assert len(samples) > 0
    for number in set(samples.request.tolist()):
        mine = samples.request == number
        assert samples.operation[mine].tolist() == list(JOURNEYS[journey])
        assert samples.at_seconds[mine][1:].tolist() == pytest.approx(ends[mine][:-1].tolist(), abs=1e-12)


def test_cpu_by_second_adds_up_to_what_requests_cost() -> None:
    asked = scenario(mix={"search.users": "100%"}, rate="100/s", duration="20s")
    result = simulate(asked, profile(variation=0.0, stalls=QUIET, idle=False))
    answered = len(result.samples)
    spent: dict[str, float] = {}
    for process, _, seconds in result.usage:
        spent[process] = spent.get(process, 0.0) + seconds
    # a demand measured at 10 and 100 a second is used at the offered rate of 100
    assert spent["api"] == pytest.approx(answered * 0.0008 / 1.25, rel=1e-6)
    assert spent["gateway"] == pytest.approx(answered * 0.00012 / 1.25, rel=1e-6)
    assert {process.name for process in layout_of(asked).processes} == set(spent)


def test_work_that_no_page_visits_is_done_behind_the_answer() -> None:
    quiet = profile(variation=0.0, stalls=QUIET, idle=False)
    asked = scenario(mix={"like.add": "100%"}, rate="10/s", duration="20s")
    result = simulate(asked, quiet)
    spent: dict[str, float] = {}
    for process, _, seconds in result.usage:
        spent[process] = spent.get(process, 0.0) + seconds
    likes = len(result.samples)
    assert spent["kafka"] == pytest.approx(likes * 0.0002, rel=1e-6)
    assert spent["workers"] == pytest.approx(likes * 0.0003, rel=1e-6)  # discovery, which hears of likes
    assert spent["api"] == pytest.approx(likes * 0.0009, rel=1e-6)


def test_progress_is_told_and_ends_at_one() -> None:
    told: list[float] = []
    simulate(scenario(duration="3s"), profile(), on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_viral_post_adds_its_arrivals_to_the_offered_rate() -> None:
    viral = {"at": "2s", "author": {"followers": 50}, "factor": 5, "rise": "1s", "fall": "2s"}
    rates = offered_per_second(scenario(viral=viral))["feed.read"]
    assert rates[0] == pytest.approx(20.0)
    assert rates[3] == pytest.approx(20.0 + 0.7 * 80.0)  # half-way up to (5 − 1) × 40, of which 70 % are feed reads
    assert len(rates) == 7


def test_the_shipped_scenario_runs_within_its_budget_of_arrivals() -> None:
    asked = read(ROOT / "scenarios" / "viral_post_small.yaml")
    result = simulate(asked, profile())
    judged = result.samples.judged()
    assert len(result.samples) >= len(traffic.draw_schedule(asked))
    assert np.isin(judged.outcome, [Outcome.OK.value, Outcome.DEGRADED.value]).all()
    assert result.facts["host_utilisation_ratio"] < 0.5


def _uses(flow: OperationFlow) -> dict[str, float]:
    found: dict[str, float] = {}
    for step in walk(steps(flow.front, flow.behind), healthy=True):
        if isinstance(step, Use) and not step.degraded:
            found[step.process] = found.get(step.process, 0.0) + step.share
    return found


@pytest.mark.parametrize("name", sorted(all_flows(scenario())))
def test_shares_of_a_process_add_up_to_the_whole_demand(name: str) -> None:
    shares = _uses(all_flows(scenario())[name])
    assert shares
    for process, share in shares.items():
        assert share == pytest.approx(1.0), process


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_page_times_the_stages_that_the_service_times(name: str) -> None:
    flow = all_flows(scenario())[name]
    stages = [step.name for step in walk(flow.front, healthy=True) if isinstance(step, Stage)]
    assert sorted(stages) == sorted(OPERATIONS[name].stages)


def test_every_link_that_a_page_crosses_is_one_that_a_scenario_can_break() -> None:
    from core.names import LINKS

    crossed = {
        step.link
        for flow in all_flows(scenario()).values()
        for step in walk(steps(flow.front, flow.behind))
        if isinstance(step, RemoteCall)
    }
    assert crossed - {"client_gateway"} <= set(LINKS)
    looked = {
        step.cache
        for flow in all_flows(scenario(mix=MIX)).values()
        for step in walk(flow.front)
        if isinstance(step, Lookup)
    }
    assert looked == set(Cache)
