"""Beyond its knee the model refuses early and keeps its goodput, as the services do; without admission it does not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from core.names import Outcome
from core.profile import scaled
from core.run import Samples
from sim.simulate import EngineName, simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile

SECONDS = 10
#: Searches of 9.2 ms of the one core that there is, the idle work of others included: it carries about 105 a second.
KNEE_PER_SECOND = 105.0


def _samples(rate_per_second: float, *, admission: bool, mix: dict[str, str] | None = None) -> Samples:
    asked = scenario(
        mix=mix or {"search.users": "100%"},
        rate=f"{rate_per_second:.0f}/s",
        duration=f"{SECONDS}s",
        timeout="2s",
        admission=admission,
    )
    return simulate(asked, scaled(profile(variation=0.0, stalls=QUIET), 10.0)).samples.judged()


def _answered(samples: Samples) -> np.ndarray:
    return samples.outcome == Outcome.OK.value


@pytest.mark.parametrize(("factor", "share"), [(1.25, 0.95), (2.5, 0.85), (5.0, 0.5)])
def test_beyond_the_knee_goodput_is_kept_and_refusals_are_immediate(factor: float, share: float) -> None:
    samples = _samples(factor * KNEE_PER_SECOND, admission=True)
    answered, refused = _answered(samples), samples.outcome == Outcome.REFUSED.value
    assert (answered | refused).all()
    in_time = answered & (samples.latency_seconds < 0.3)
    # refusing takes a part of the core: 0.2 ms each at the gateway
    assert in_time.sum() / SECONDS > share * KNEE_PER_SECOND
    assert np.quantile(samples.latency_seconds[refused], 0.99) < 0.025


def test_without_admission_answers_come_too_late() -> None:
    samples = _samples(1.5 * KNEE_PER_SECOND, admission=False)
    assert (_answered(samples) & (samples.latency_seconds < 0.3)).sum() / SECONDS < 0.5 * KNEE_PER_SECOND
    assert (samples.outcome == Outcome.TIMEOUT.value).any()


def test_below_the_knee_nobody_is_refused_and_nothing_else_changes() -> None:
    with_it, without = (_samples(0.5 * KNEE_PER_SECOND, admission=each) for each in (True, False))
    assert _answered(with_it).all()
    assert with_it.latency_seconds.tolist() == without.latency_seconds.tolist()


def test_uploads_are_refused_while_photos_would_wait_for_more_than_ten_seconds() -> None:
    asked = scenario(mix={"media.upload": "100%"}, rate="20/s", duration="30s")
    samples = simulate(asked, profile(variation=0.0, stalls=QUIET)).samples
    announced = samples.of("media.create").judged()
    refused = announced.outcome == Outcome.REFUSED.value
    early, late = announced.at_seconds < 2.0, announced.at_seconds > 15.0
    assert not refused[early].any()
    # five or six of twenty a second are processed, and about as many are let in
    assert 0.5 < refused[late].mean() < 0.9
    assert not (samples.of("media.complete").outcome == Outcome.REFUSED.value).any()


def test_writes_are_admitted_when_reads_are_not() -> None:
    samples = _samples(500.0, admission=True, mix={"like.add": "50%", "comment.list": "50%"})
    refused = samples.outcome == Outcome.REFUSED.value
    shares = [refused[samples.operation == name].mean() for name in ("like.add", "comment.list")]
    assert shares[0] < 0.9 * shares[1]


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_a_refusal_costs_the_gateway_what_was_measured_and_not_what_a_request_costs(engine: EngineName) -> None:
    rate, refusal_seconds, request_seconds = 300.0, 30e-6, 10 * 0.12e-3 / 1.25
    asked = scenario(mix={"search.users": "100%"}, rate=f"{rate:.0f}/s", duration="4s", timeout="2s", admission=True)
    slow = scaled(profile(variation=0.0, stalls=QUIET, idle=False), 10.0)

    def gateway(measured: float | None) -> tuple[int, int, float]:
        """Answers, refusals and CPU seconds of the gateway, the warm-up included."""
        result = simulate(asked, msgspec.structs.replace(slow, refusal_cpu_seconds=measured), engine=engine)
        outcomes, refused = result.samples.outcome, result.samples.outcome == Outcome.REFUSED.value
        assert (refused | (outcomes == Outcome.OK.value)).all()
        spent = sum(seconds for name, _, seconds in result.usage if name == "gateway")
        return int((~refused).sum()), int(refused.sum()), spent

    answered, refused, spent = gateway(refusal_seconds)
    assert refused > 500
    assert spent == pytest.approx(answered * request_seconds + refused * refusal_seconds, rel=0.01)

    answered_before, refused, spent = gateway(None)
    assert spent == pytest.approx(answered_before * request_seconds + refused * 0.6 * request_seconds, rel=0.01)
    # the time that refusals no longer take, for answers of 9.2 ms each
    assert answered - answered_before == pytest.approx(refused * 0.55e-3 / 9.2e-3, rel=0.5)


def test_a_profile_without_the_cost_of_a_refusal_is_used_with_a_note() -> None:
    notes = [
        simulate(
            scenario(mix={"search.users": "100%"}, admission=admission),
            msgspec.structs.replace(profile(), refusal_cpu_seconds=measured),
        ).facts.get("assumed", [])
        for admission, measured in ((True, None), (True, 30e-6), (False, None))
    ]
    assert ["refuses was not calibrated" in " ".join(each) for each in notes] == [True, False, False]
