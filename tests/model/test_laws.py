"""The laws that every run asserts: each holds on a sound model and each is seen to fail on a broken one."""

from __future__ import annotations

import pytest

from core.scenario import Scenario
from sim.reference.host import HostCpu, Job
from sim.reference.kernel import Kernel
from sim.reference.station import Station
from sim.results.laws import ModelError, VisitTally, check_conservation, check_little, check_work
from sim.simulate import simulate
from tests.model.small import scenario
from tests.model.synthetic import profile


def _tally() -> VisitTally:
    tally = VisitTally("test", 0.0)
    tally.came(1.0)
    tally.came(2.0)
    tally.left(4.0, entered_seconds=1.0)
    tally.close(10.0)
    return tally


def test_a_sound_tally_keeps_every_law() -> None:
    tally = _tally()
    check_conservation(tally)
    check_little(tally, now=10.0)
    assert tally.mean_number() == pytest.approx((3.0 + 8.0) / 10.0)


def test_a_lost_customer_breaks_conservation() -> None:
    tally = _tally()
    tally.inside -= 1
    with pytest.raises(ModelError, match="conservation") as caught:
        check_conservation(tally)
    assert caught.value.law == "conservation"


def test_a_wrong_sojourn_breaks_littles_law() -> None:
    tally = _tally()
    tally.sojourn_seconds += 0.01
    with pytest.raises(ModelError, match=r"Little's law"):
        check_little(tally, now=10.0)


def test_leaving_before_entering_breaks_causality() -> None:
    tally = VisitTally("test", 0.0)
    tally.came(2.0)
    with pytest.raises(ModelError, match="causality"):
        tally.left(2.0, entered_seconds=3.0)
    with pytest.raises(ModelError, match="causality"):
        tally.came(1.0)


def test_idling_with_work_breaks_work_conservation() -> None:
    check_work("test", given_seconds=1.0, done_seconds=1.0, possible_seconds=1.0)
    with pytest.raises(ModelError, match="work conservation"):
        check_work("test", given_seconds=1.0, done_seconds=1.1, possible_seconds=1.0)
    with pytest.raises(ModelError, match="idle with work"):
        check_work("test", given_seconds=1.0, done_seconds=1.0, possible_seconds=1.2)


def test_a_run_notices_a_core_that_is_idle_while_work_waits_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostCpu, "_core_for", lambda self, worker: 0)
    with pytest.raises(ModelError, match="idle with work"):
        simulate(scenario(rate="60/s", placement={"cores": {"stack": [0, 1]}}), profile(), engine="simpy")


def test_a_run_notices_work_that_nobody_did(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = HostCpu._end

    def generous(self: HostCpu, core: int) -> None:
        self.done_seconds += 0.001
        sound(self, core)

    monkeypatch.setattr(HostCpu, "_end", generous)
    with pytest.raises(ModelError, match="work conservation"):
        simulate(_plain(), profile(), engine="simpy")


def test_a_run_notices_a_request_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Station.finished
    swallowed: list[Job] = []

    def swallows(self: Station, job: Job) -> None:
        if self.name == "redis" and not swallowed:
            swallowed.append(job)
            del self._serving[job]
            self._next()
        else:
            sound(self, job)

    monkeypatch.setattr(Station, "finished", swallows)
    with pytest.raises(ModelError, match="conservation: redis"):
        simulate(_plain(), profile(), engine="simpy")


def test_a_run_notices_a_station_that_forgets_its_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = VisitTally.left

    def forgets(self: VisitTally, now: float, *, entered_seconds: float) -> None:
        sound(self, now, entered_seconds=entered_seconds)
        if self.name == "redis":
            self.sojourn_seconds *= 0.999

    monkeypatch.setattr(VisitTally, "left", forgets)
    with pytest.raises(ModelError, match=r"Little's law: redis"):
        simulate(_plain(), profile(), engine="simpy")


def test_the_clock_does_not_run_back() -> None:
    kernel = Kernel(start_seconds=5.0)
    kernel.run(until_seconds=6.0)
    kernel._environment._now = 4.0
    with pytest.raises(ModelError, match="clock"):
        kernel.run(until_seconds=4.5)


def _plain() -> Scenario:
    return scenario(rate="60/s")
