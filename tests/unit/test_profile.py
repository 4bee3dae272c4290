"""The calibration profile and the settings of a process: read back, and refused with the field's name."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import profile, settings
from core.fixed_work import FixedWork
from core.profile import CpuDemand, Profile, Stalls

DEMAND = CpuDemand(
    operation="feed.read", process="feed", rates_per_second=(100.0, 400.0), cpu_seconds=(0.002, 0.001), variation=0.4
)
WORK = FixedWork(version=1, cpu_seconds={"json": 0.002, "calls": 0.001}, scatter_ratio=0.02, round_count=140)
PROFILE = Profile(
    id="20261121-here", measured="2026-11-21T10:00:00Z", commit="abc", machine={"cores": 2}, scenario="tiny",
    demands=(DEMAND,), wires=(profile.LinkDelay(link="feed_redis", median_seconds=5e-5, p99_seconds=2e-4),),
    delays=(profile.Delay(station="postgres.commit", median_seconds=1e-3, p99_seconds=4e-3),),
    stalls=Stalls(per_second=(4.0,), upto_seconds=(0.001,), mean_seconds=(0.0004,), lost_ratio=0.01),
    background_cpu_ratio={"kafka": 0.02}, fixed_work=WORK,
)  # fmt: skip


def test_a_profile_is_read_back() -> None:
    assert profile.decode(profile.encode(PROFILE)) == PROFILE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.replace(b'"stalls"', b'"stales"'), "stalls"),
        (lambda data: data.replace(b'"schema": 1', b'"schema": 2'), "schema 2, this build reads 1"),
        (lambda data: data.replace(b'"variation": 0.4', b'"variation": "x"'), r"demands\[0\]\.variation"),
        (lambda data: data[:50], "calibration profile"),
    ],
)
def test_a_profile_that_does_not_fit_is_refused_with_the_field(change: object, says: str) -> None:
    assert callable(change)
    with pytest.raises(ValueError, match=says):
        profile.decode(change(profile.encode(PROFILE)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"cpu_seconds": (0.002, -0.001)},
            r"demands\[0\] \(feed.read at feed\)\.cpu_seconds: expected a time of at least 0",
        ),
        ({"cpu_seconds": (0.002,)}, "for each rate"),
        ({"rates_per_second": (), "cpu_seconds": ()}, r"rates_per_second: expected at least one rate"),
        ({"rates_per_second": (400.0, 100.0)}, "ascending"),
        ({"error_ratio": -0.1}, r"error_ratio: expected from 0 to 1"),
    ],
)
def test_figures_that_no_measurement_gives_are_refused_with_the_field(change: dict[str, object], says: str) -> None:
    wrong = msgspec.structs.replace(PROFILE, demands=(msgspec.structs.replace(DEMAND, **change),))
    with pytest.raises(ValueError, match=says):
        profile.decode(profile.encode(wrong))


def test_the_cost_of_a_refusal_is_optional_and_grows_with_the_machine() -> None:
    assert profile.decode(profile.encode(PROFILE)).refusal_cpu_seconds is None
    assert profile.scaled(PROFILE, 2.0).refusal_cpu_seconds is None
    measured = msgspec.structs.replace(PROFILE, refusal_cpu_seconds=45e-6)
    assert profile.decode(profile.encode(measured)) == measured
    assert profile.scaled(measured, 2.0).refusal_cpu_seconds == 90e-6
    wrong = msgspec.structs.replace(PROFILE, refusal_cpu_seconds=-1e-6)
    with pytest.raises(ValueError, match="refusal_cpu_seconds: expected a time of at least 0"):
        profile.decode(profile.encode(wrong))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cpu_seconds": {}}, "at least one kind"),
        ({"cpu_seconds": {"json": 0.002, "calls": 0.0}}, r"fixed_work\.cpu_seconds\.calls: expected a finite time"),
        ({"cpu_seconds": {"json": -0.002}}, r"fixed_work\.cpu_seconds\.json: .*more than 0"),
        ({"scatter_ratio": -0.1}, r"fixed_work\.scatter_ratio"),
        ({"drift_ratio": -1.0}, r"fixed_work\.drift_ratio"),
        ({"round_count": 0}, r"fixed_work\.round_count"),
    ],
)
def test_a_time_of_the_fixed_work_that_no_machine_takes_is_refused(change: dict[str, object], says: str) -> None:
    wrong = msgspec.structs.replace(PROFILE, fixed_work=msgspec.structs.replace(WORK, **change))
    with pytest.raises(ValueError, match=f"calibration profile: .*{says}"):
        profile.decode(profile.encode(wrong))


@pytest.mark.parametrize("value", [b"1e999", b'"fast"', b"NaN"])
def test_a_time_of_the_fixed_work_that_is_no_finite_number_is_refused(value: bytes) -> None:
    data = profile.encode(PROFILE)
    assert b'"calls": 0.001' in data
    with pytest.raises(ValueError, match="calibration profile"):
        profile.decode(data.replace(b'"calls": 0.001', b'"calls": ' + value))


def test_a_profile_without_the_fixed_work_is_read_without_it() -> None:
    before_it_existed = json.loads(profile.encode(PROFILE))
    del before_it_existed["fixed_work"]
    found = profile.decode(json.dumps(before_it_existed).encode())
    assert found == msgspec.structs.replace(PROFILE, fixed_work=None)
    assert profile.scaled(found, 2.0).fixed_work is None


@pytest.mark.parametrize(
    ("rate", "cpu"), [(1.0, 0.002), (100.0, 0.002), (250.0, 0.0015), (400.0, 0.001), (900.0, 0.001)]
)
def test_demand_lies_on_straight_lines_between_the_measured_rates_and_is_flat_beyond(rate: float, cpu: float) -> None:
    assert DEMAND.at(rate) == pytest.approx(cpu)


def test_a_demand_is_found_by_operation_and_process() -> None:
    assert PROFILE.demand("feed.read", "feed") == DEMAND
    assert PROFILE.demand("feed.read", "redis") is None


@given(st.floats(0.1, 10.0))
def test_a_slower_machine_needs_more_cpu_and_waits_no_longer(factor: float) -> None:
    slower = profile.scaled(PROFILE, factor)
    assert slower.demands[0].at(100.0) == pytest.approx(0.002 * factor)
    assert slower.background_cpu_ratio["kafka"] == pytest.approx(0.02 * factor)
    assert slower.fixed_work is not None
    assert slower.fixed_work.whole_seconds == pytest.approx(0.003 * factor)
    assert (slower.wires, slower.delays, slower.stalls) == (PROFILE.wires, PROFILE.delays, PROFILE.stalls)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_speed_that_is_none_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="more than zero"):
        profile.scaled(PROFILE, factor)


def process() -> settings.ProcessSettings:
    stores = settings.Stores(redis=settings.Redis(host="127.0.0.1", port=6379, pool_size_max=32))
    member = settings.Member(component="feed", listen=settings.Listen(host="127.0.0.1", port=1), stores=stores)
    return settings.ProcessSettings(
        process="feed", members=(member,), scenario_path="s.yaml", public_url="http://127.0.0.1", media_url="http://x",
        keys=settings.SecretSettings(cursor_secret="s"), data_directory="d", worker=0, worker_count=3,
    )  # fmt: skip


def test_settings_are_read_back() -> None:
    assert settings.decode(settings.encode(process())) == process()


@pytest.mark.parametrize(
    ("old", "new"), [(b'"port": 1', b'"port": "x"'), (b'"host"', b'"hots"'), (b'"worker": 0,', b"")]
)
def test_settings_that_do_not_fit_are_refused(old: bytes, new: bytes) -> None:
    data = settings.encode(process())
    assert old in data
    with pytest.raises(ValueError, match=r"port|host|hots|worker"):
        settings.decode(data.replace(old, new))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        process().worker = 1  # type: ignore[misc]
    assert msgspec.structs.replace(process(), worker=1).worker == 1


def test_drawn_demands_have_the_measured_mean_and_the_error_and_move_together_within_an_operation() -> None:
    names = (("feed.read", "feed"), ("feed.read", "redis"), ("feed.read/degraded", "feed"), ("like.add", "feed"))
    made = [msgspec.structs.replace(DEMAND, operation=one, process=at, error_ratio=0.2) for one, at in names]
    exact = msgspec.structs.replace(DEMAND, operation="user.read")
    whole = msgspec.structs.replace(PROFILE, demands=(*made, exact))
    draws = [profile.drawn(whole, seed).demands for seed in range(2_000)]
    factors = np.array([[each.cpu_seconds[0] / 0.002 for each in demands] for demands in draws])
    common = profile.BETWEEN_CALIBRATIONS_RATIO
    assert factors.mean(axis=0) == pytest.approx(np.ones(5), abs=0.02)
    assert factors.std(axis=0) == pytest.approx(np.array([np.hypot(0.2, common)] * 4 + [common]), abs=0.02)
    factors /= factors[:, 4:]  # what all have in common
    assert np.allclose(factors[:, 0], factors[:, 1])
    assert np.allclose(factors[:, 0], factors[:, 2])
    assert abs(np.corrcoef(factors[:, 0], factors[:, 3])[0, 1]) < 0.1
    assert factors[:, :4].std(axis=0) == pytest.approx(np.full(4, 0.2), abs=0.02)
    assert profile.drawn(whole, 3) == profile.drawn(whole, 3)
    assert profile.drawn(PROFILE, 3) == PROFILE
    assert not profile.has_errors(PROFILE)
