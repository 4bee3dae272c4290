"""The feed-forward engine walks the same sample path as SimPy where it may be used, and says why where it may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.profile import Profile
from sim import observed, reference
from sim.compiled import engine, feedforward, queues
from sim.compiled import forward as forward_of
from sim.laws import ModelError
from sim.observed import Observed
from sim.parts import Parts, prepare
from sim.simulate import chosen, run_second_by_second
from tests.model import forward
from tests.model.small import scenario
from tests.model.synthetic import profile


def _seen(kind: Any, parts: Parts) -> tuple[Observed, tuple[tuple[str, int, float], ...]]:
    runner = kind.Engine(parts)
    usage = run_second_by_second(parts, runner)
    seen = runner.observed()
    observed.check(seen)
    return seen, usage


@pytest.mark.parametrize("kind", [feedforward, engine])
@pytest.mark.parametrize("cores", [1, 2])
def test_it_walks_the_same_sample_path_as_simpy(kind: Any, cores: int) -> None:
    reference_seen, reference_usage = _seen(reference, forward.parts(cores=cores))
    seen, usage = _seen(kind, forward.parts(cores=cores))
    latencies = reference_seen.samples.latency_seconds
    assert latencies.max() > 3 * np.median(latencies)  # there was something to wait for
    np.testing.assert_allclose(seen.samples.latency_seconds, latencies, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(seen.samples.operation, reference_seen.samples.operation)
    np.testing.assert_allclose([row[2] for row in usage], [row[2] for row in reference_usage], atol=1e-9)
    assert [count for count, _ in seen.stages] == [count for count, _ in reference_seen.stages]
    stages = [[seconds for _, seconds in told.stages] for told in (seen, reference_seen)]
    np.testing.assert_allclose(stages[0], stages[1], rtol=1e-9)


def test_it_is_chosen_by_itself_where_it_may_be_used() -> None:
    assert chosen(forward.parts(rate="600/s"), "auto") == "feedforward"
    assert chosen(forward.parts(rate="20/s"), "auto") == "simpy"  # not worth loading it
    assert chosen(prepare(scenario(rate="600/s"), profile()), "auto") == "compiled"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "a step of kind"),
        ({"faults": [{"at": "1s", "for": "1s", "link": "feed_redis", "latency": "1s"}]}, "faults"),
    ],
)
def test_it_says_what_stands_in_the_way(change: dict[str, Any], reason: str) -> None:
    calm: Profile = forward.profile()
    parts = prepare(scenario(mix={"feed.read": "100%"}, **change), calm)
    assert reason in forward_of.why_not(parts)
    with pytest.raises(ValueError, match="not feed-forward"):
        feedforward.Engine(parts)


def test_a_request_that_comes_back_is_not_feed_forward() -> None:
    page = forward.pages()["feed.read"]
    again = forward.OperationFlow(front=forward.steps(page.front, forward.Use(process="gateway")))
    parts = prepare(forward.asked(), forward.profile(), pages={"feed.read": again})
    assert forward_of.why_not(parts).startswith("requests that come back to gateway")


def test_shared_cores_are_not_feed_forward() -> None:
    asked = scenario(mix={"feed.read": "100%"}, shards={"physical": forward.SHARDS})
    parts = prepare(asked, forward.profile(), pages=forward.pages())
    assert "share the cores of stack" in forward_of.why_not(parts)


def test_a_client_who_would_give_up_is_not_passed_over() -> None:
    parts = forward.parts(rate="700/s")  # more than the feed's event loop can do
    object.__setattr__(parts.scenario.traffic, "timeout_seconds", 0.5)
    with pytest.raises(ModelError, match="would have given up"):
        feedforward.Engine(parts)


def test_workers_take_turns_as_kiefer_and_wolfowitz_say() -> None:
    arrivals, needs = np.array([0.0, 0.1, 0.2, 5.0]), np.array([1.0, 1.0, 1.0, 1.0])
    starts, ends = np.empty(4), np.empty(4)
    queues.fcfs(arrivals, needs, 2, starts, ends)
    np.testing.assert_allclose(starts, [0.0, 0.1, 1.0, 5.0])
    np.testing.assert_allclose(ends, [1.0, 1.1, 2.0, 6.0])


def test_shared_cores_give_everybody_the_same() -> None:
    ends, busy = np.empty(2), np.zeros(4)
    queues.shared(np.array([0.0, 0.5]), np.array([1.0, 0.25]), 1, ends, 0.0, busy)
    np.testing.assert_allclose(ends, [1.25, 1.0])
    np.testing.assert_allclose(busy, [1.0, 0.25, 0.0, 0.0])
