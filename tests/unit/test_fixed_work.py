"""The fixed piece of work: the same work each time, its figure, and the factor that follows from two figures."""

from __future__ import annotations

import gc
import os
import select
import socket
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from core.fixed_work import (
    DRIFT_RATIO_MAX,
    SCATTER_RATIO_MAX,
    VERSION,
    FixedWork,
    median_reading,
    reading,
    scaled,
    speed_ahead,
)
from lab import fixed_work

KINDS = {"json", "calls", "system_calls", "memory"}
CALIBRATED = FixedWork(
    version=VERSION, cpu_seconds={"json": 0.002, "calls": 0.001}, scatter_ratio=0.02, round_count=140
)


# --- the work


def test_each_kind_of_work_is_the_same_work_each_time() -> None:
    memory, target, page = (
        bytearray(fixed_work._MEMORY_BYTES),
        bytearray(fixed_work._COPY_BYTES),
        fixed_work.feed_page(),
    )
    assert fixed_work.encode_and_decode(page) == fixed_work.encode_and_decode(fixed_work.feed_page()) > 10**5
    assert fixed_work.rank() == fixed_work.rank() > 0
    assert fixed_work.copy_and_walk(memory, target) == fixed_work.copy_and_walk(memory, target) > 16 * len(target)


def test_messages_are_exchanged_over_a_connection() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, select.epoll() as waiting:
        waiting.register(theirs, select.EPOLLIN)
        assert fixed_work.exchange(ours, theirs, waiting) == 2 * 150 * len(fixed_work._MESSAGE)


def test_every_round_does_every_kind_of_work_and_the_garbage_collector_is_as_before() -> None:
    assert gc.isenabled()
    found = fixed_work.rounds(3)
    assert [set(each) for each in found] == [KINDS] * 3
    assert min(min(each.values()) for each in found) > 0
    assert gc.isenabled()


def test_a_reading_is_taken_in_a_process_of_its_own_on_a_core_that_can_be_used() -> None:
    before = os.sched_getaffinity(0)
    found = fixed_work.measure((min(before),))
    assert (found.version, set(found.cpu_seconds), found.round_count) == (VERSION, KINDS, fixed_work.ROUNDS)
    found.check()
    assert os.sched_getaffinity(0) == before


def test_work_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"the fixed work failed: OSError: \[Errno 22\]"):
        fixed_work._read((100_000,))  # no such core
    monkeypatch.setattr(fixed_work, "SECONDS_MAX", 0.001)
    with pytest.raises(UserError, match="the fixed work took more than"):
        fixed_work._read(())


def test_the_work_needs_nothing_that_only_a_measurement_loads() -> None:
    """Its process would take longer to start, and hold more memory, than the work."""
    code = "import sys, lab.fixed_work; print(sorted({'numpy', 'pandas', 'pyarrow', 'simpy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- its figure


def test_a_reading_is_the_lower_quartile_of_each_kind_and_knows_its_scatter() -> None:
    found = reading([{"json": value, "calls": 2 * value} for value in (1.0, 2.0, 3.0)])
    assert found.cpu_seconds == {"json": 1.0, "calls": 2.0}
    assert found.scatter_ratio == pytest.approx((9.0 - 3.0) / 2 / 6.0)
    assert found.round_count == 3


@given(st.floats(1.0, 1000.0))
def test_stalls_in_half_of_the_rounds_do_not_change_a_reading(factor: float) -> None:
    calm = [{"json": 0.002, "calls": 0.001}] * 100
    stalled = [{kind: seconds * factor for kind, seconds in each.items()} for each in calm[:50]]
    assert reading([*stalled, *calm[50:]]).cpu_seconds == reading(calm).cpu_seconds


def test_a_calibration_keeps_the_median_of_its_readings_and_how_far_the_machine_drifted() -> None:
    found = median_reading([scaled(CALIBRATED, factor) for factor in (1.0, 1.5, 1.2)])
    assert found.cpu_seconds == pytest.approx({"json": 0.0024, "calls": 0.0012})
    assert found.drift_ratio == pytest.approx(0.2)
    assert found.round_count == 3 * 140
    assert "+20% from the first to the last reading" in found.sentence
    assert median_reading([CALIBRATED]) == CALIBRATED
    quiet = median_reading([CALIBRATED, scaled(CALIBRATED, 1.0 + 0.9 * DRIFT_RATIO_MAX)])
    assert quiet.sentence == "a round of the fixed work takes 3.07 ms of CPU, ± 2%"


# --- the factor


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.24])
def test_the_factor_is_the_time_here_over_the_time_in_the_profile(factor: float) -> None:
    found = speed_ahead(scaled(CALIBRATED, factor), CALIBRATED)
    assert found.speed == pytest.approx(factor)
    assert found.sentence == (
        f"this machine does the fixed work in {factor:.2f} × the profile's time, so CPU demand was scaled by "
        f"{factor:.2f} before the run"
    )
    assert (found.here, found.calibrated) == (scaled(CALIBRATED, factor), CALIBRATED)


def test_a_machine_that_was_not_quiet_is_named() -> None:
    noisy = msgspec.structs.replace(CALIBRATED, scatter_ratio=2 * SCATTER_RATIO_MAX)
    assert speed_ahead(noisy, CALIBRATED).sentence.endswith("differed by ± 20%: was anything else running?")


@pytest.mark.parametrize(
    ("calibrated", "says"),
    [
        (None, "the profile has no time of the fixed work"),
        (
            msgspec.structs.replace(CALIBRATED, version=VERSION + 1),
            f"of version {VERSION + 1}, this build's of version",
        ),
        (msgspec.structs.replace(CALIBRATED, cpu_seconds={"json": 0.002}), "other kinds of work"),
    ],
)
def test_what_cannot_be_compared_is_not_scaled_and_says_so(calibrated: FixedWork | None, says: str) -> None:
    found = speed_ahead(CALIBRATED, calibrated)
    assert found.speed == 1.0
    assert says in found.sentence
    assert "not scaled to this machine; windtunnel calibrate makes a new one" in found.sentence
