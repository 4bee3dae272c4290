"""Calibration without a stack: what it measures at each point, and what it derives from that."""

from __future__ import annotations

import ast
import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import operations
from core.fixed_work import FixedWork
from core.names import Component
from core.operations import BACKGROUND, OPERATIONS
from core.profile import DEGRADED, CpuDemand
from core.scenario import parse
from lab import calibrate
from lab.calibration import demands, series
from lab.calibration.idle import Idle
from lab.calibration.point import OverloadError, SteadyPoint, by_class
from lab.calibration.series import FEW, MANY, Series
from loadtest import plan
from records.scenarios import read

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "scenarios" / "viral_post_small.yaml"
#: What is handed to the chassis to run beside the requests.
_HANDED = ("run_beside", "consume", "consume_batches")
#: Timers: their CPU use is the same with and without traffic, so it is measured without
#: (`core.profile.Profile.background_cpu_ratio`).
IDLE = "idle"

#: All work of the services that no client waits for, by service and by what it hands to `services.kit.bus`, and where
#: calibration charges it: the work of an event to the operation or background job that caused it, because it is done
#: while that is measured.
JOBS: dict[tuple[str, str], tuple[str, ...]] = {
    ("ads", "publish"): (IDLE,),
    ("discovery", "consume_batches"): (
        operations.POST_CREATE,
        operations.LIKE_ADD,
        operations.COMMENT_ADD,
        operations.POST_DELETE,
    ),
    ("discovery", "write"): (IDLE,),
    ("engagement", "settle"): (IDLE,),
    ("fanout", "consume"): (operations.FANOUT_DELIVER, operations.POST_DELETE),
    ("fanout", "consume_batches"): (operations.GRAPH_FOLLOW, operations.GRAPH_UNFOLLOW),
    ("fanout", "publish_celebrities"): (IDLE,),
    ("feed", "consume_batches"): (
        operations.POST_CREATE,
        operations.POST_DELETE,
        operations.MEDIA_PROCESS,
        operations.AUTH_SIGNUP,
    ),
    ("feed", "look"): (IDLE,),
    ("graph", "consume_batches"): (operations.GRAPH_FOLLOW, operations.GRAPH_UNFOLLOW),
    ("kit", "ask"): (IDLE,),  # of the outbox: what consumers have handled
    ("kit", "look_on"): (operations.MEDIA_CREATE, operations.POST_CREATE),  # they ask how much waits
    ("kit", "relay"): (
        *(
            operations.AUTH_SIGNUP,
            operations.GRAPH_FOLLOW,
            operations.GRAPH_UNFOLLOW,
            operations.MEDIA_COMPLETE,
            operations.MEDIA_PROCESS,
            operations.POST_CREATE,
        ),
        *(
            operations.POST_DELETE,
            operations.LIKE_ADD,
            operations.LIKE_REMOVE,
            operations.COMMENT_ADD,
            operations.STORY_CREATE,
            operations.STORY_DELETE,
        ),
    ),
    ("media", "_sweep_on"): (IDLE,),
    ("media", "_work_on"): (operations.MEDIA_PROCESS,),
    ("media", "consume"): (operations.MEDIA_PROCESS,),
    ("media", "run"): (operations.MEDIA_REMOVE,),
    ("posts", "consume"): (IDLE,),  # photos that cannot be rendered, which neither the load nor the model contains
    ("search", "run"): (operations.AUTH_SIGNUP, operations.POST_CREATE, operations.POST_DELETE),
    ("stories", "consume_batches"): (operations.STORY_CREATE, operations.STORY_DELETE),
    ("stories", "settle"): (IDLE,),
    ("upload", "run"): (IDLE,),  # removes photos that were never uploaded
}


def _point(name: str, rate: float, **milliseconds: float) -> SteadyPoint:
    spent = {process: value / 1e3 for process, value in milliseconds.items()}
    return SteadyPoint(operation=name, rate_per_second=rate, cpu_seconds=spent, variation=0.4, count=10)


def _cost(found: tuple[CpuDemand, ...], operation: str, process: str) -> tuple[float, ...]:
    """Milliseconds by rate; nothing where it costs nothing."""
    for each in found:
        if (each.operation, each.process) == (operation, process):
            return tuple(seconds * 1e3 for seconds in each.cpu_seconds)
    return ()


# --- what is measured


def test_every_operation_and_every_background_job_is_measured() -> None:
    measured = {each.operation for each in series.planned(read(SMALL))}
    given = {name for shares in series.SHARES.values() for parts in shares.values() for name in parts}
    assert measured == OPERATIONS.keys()
    assert given - measured | {"fanout.deliver"} == BACKGROUND.keys()


def test_every_point_is_traffic_that_the_load_generator_can_send() -> None:
    scenario, count = read(SMALL), 0
    for each in series.planned(scenario):
        alone = plan.steady(
            scenario,
            each.operation,
            rate_per_second=each.rates_per_second[-1],
            seconds=each.seconds,
            warm_up_seconds=each.warm_up_seconds,
        )
        count += len(plan.make_plan(alone, seed=1, people=each.people)) > 0
    assert count == len(series.planned(scenario)) > len(OPERATIONS)


def test_two_sizes_of_fan_out_are_both_pushed_and_far_apart() -> None:
    scenario = read(SMALL)
    few, many = series.authors(scenario)
    assert not set(few) & set(many)
    assert series.timelines(scenario, many) > 4 * series.timelines(scenario, few)


def test_people_with_equal_follower_counts_cannot_be_used_for_calibration() -> None:
    alike = parse(
        "scenario: alike\npopulation: {people: 100, follows: {distribution: zipf, exponent: 0.01, mean: 8, maximum: 9}}"
    )
    with pytest.raises(ValueError, match="at least twice as many followers"):
        series.planned(alike)


def test_limits_are_kept_and_refuse_nothing() -> None:
    scenario = parse("scenario: tight\nsystem: {gateway: {limits: {post.read: 1/s per user}}}")
    limits = calibrate._wide(scenario).system.gateway.limits
    assert limits.keys() == scenario.system.gateway.limits.keys()
    assert "post.read" in limits
    assert min(limit.count for limit in limits.values()) >= calibrate.LIMIT_MIN


@dataclass
class _Bench:
    """A bench that measures nothing and notes what it is asked."""

    too_much: tuple[str, float]
    asked: list[tuple[str, float, int]] = field(default_factory=list)
    scenario: Any = field(default_factory=lambda: read(SMALL))
    stack: None = None

    def measure(self, each: Series, rate: float, *, seed: int) -> SteadyPoint:
        self.asked.append((each.name, rate, seed))
        if (each.name, rate) == self.too_much:
            raise OverloadError(each.name)
        return _point(each.name, rate)

    def settle(self) -> None:
        return None


def test_no_two_points_do_the_same_acts_again_not_even_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "_cut", lambda _: contextlib.nullcontext())
    bench = _Bench(too_much=("post.create/many", 30.0))
    done = list[int]()  # points, at each reading of the fixed work
    found = calibrate._points(
        bench,  # type: ignore[arg-type]
        series.planned(bench.scenario),
        between=lambda: done.append(sum((name, rate) != bench.too_much for name, rate, _ in bench.asked)),
    )
    assert done == list(range(1, len(found) + 1))
    seeds = [seed for _, _, seed in bench.asked]
    assert len(set(seeds)) == len(seeds) == len(found) + 1
    assert bench.scenario.seed not in seeds  # the run's own
    assert ("post.create/many", 20.0) in {(name, rate) for name, rate, _ in bench.asked}
    assert {each.operation for each in found} == {each.name for each in series.planned(bench.scenario)}


def test_points_taken_while_the_machine_was_slow_count_as_at_its_usual_speed() -> None:
    readings = [_reading(milliseconds) for milliseconds in (4.0, 4.0, 8.0, 4.0, 4.0)]
    spent = (1.0, 1.5, 1.5, 1.0)  # as the machine slowed down during the second and recovered during the third
    points = [_point("feed.read", rate, feed=each) for rate, each in zip((15.0, 60.0, 90.0, 150.0), spent, strict=True)]
    found = calibrate.at_one_speed(points, readings)
    assert [each.cpu_seconds["feed"] for each in found] == pytest.approx([1e-3] * 4)


def _reading(milliseconds: float) -> FixedWork:
    return FixedWork(version=1, cpu_seconds={"json": milliseconds / 1e3}, scatter_ratio=0.01, round_count=140)


# --- work that nobody waits for


def _handed() -> Iterator[tuple[str, str]]:
    """Service and name of all that services hand to the chassis, from their source."""
    for path in sorted((ROOT / "services").rglob("*.py")):
        if path.name == "bus.py":
            continue
        for call in (each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name not in _HANDED or len(call.args) < 2:
                continue
            given = call.args[1]
            if isinstance(given, ast.Call):  # functools.partial
                given = given.args[0]
            what = given.attr if isinstance(given, ast.Attribute) else getattr(given, "id", "")
            yield path.relative_to(ROOT / "services").parts[0], what if name == "run_beside" else name


def test_all_work_behind_the_answers_has_its_place_in_a_profile() -> None:
    assert set(_handed()) == JOBS.keys()
    charged = [name for names in JOBS.values() for name in names]
    assert len(charged) >= len(JOBS)
    assert set(charged) <= {IDLE, *OPERATIONS, *BACKGROUND}


# --- what is made of points


def _all(*others: SteadyPoint) -> tuple[CpuDemand, ...]:
    """Demands of these points; fan-out was measured at 10 and at 90 timelines, and a mean post has 30."""
    posts = [
        _point("post.create" + kind, rate, fanout=1.0 + 0.05 * count, redis=0.2 + 0.01 * count, postgres=4.0, kafka=3.0)
        for kind, count in ((FEW, 10), (MANY, 90))
        for rate in (3.0, 30.0)
    ]
    return demands.fitted_demands([*posts, *others], few=10.0, many=90.0, timelines=30.0, scatter_ratio=0.0)


def test_what_grows_with_timelines_is_the_fan_outs_and_the_rest_the_posts() -> None:
    found = _all()
    assert _cost(found, "fanout.deliver", "fanout") == pytest.approx((0.05 * 30,))
    assert _cost(found, "fanout.deliver", "redis") == pytest.approx((0.01 * 30,))
    assert _cost(found, "fanout.deliver", "postgres") == ()
    assert _cost(found, "post.create", "fanout") == pytest.approx((1.0, 1.0))
    assert _cost(found, "post.create", "redis") == pytest.approx((0.2, 0.2))
    assert _cost(found, "post.create", "kafka") == pytest.approx((3.0, 3.0))


def test_a_slope_within_the_noise_is_never_negative() -> None:
    posts = [_point("post.create" + kind, 3.0, fanout=value) for kind, value in ((FEW, 2.0), (MANY, 1.0))]
    found = demands.fitted_demands(posts, few=10.0, many=90.0, timelines=30.0, scatter_ratio=0.0)
    assert _cost(found, "fanout.deliver", "fanout") == ()
    assert _cost(found, "post.create", "fanout") == pytest.approx((1.5,))


def test_a_job_that_follows_at_once_gets_its_part() -> None:
    found = _all(_point("media.complete", 2.0, upload=3.0, media=100.0, objects=6.5, postgres=4.0, gateway=0.3))
    assert _cost(found, "media.complete", "upload") == pytest.approx((3.0,))
    assert _cost(found, "media.complete", "gateway") == pytest.approx((0.3,))
    assert _cost(found, "media.complete", "media") == ()
    assert _cost(found, "media.process", "media") == pytest.approx((100.0,))
    assert _cost(found, "media.complete", "objects") == pytest.approx((0.5,))
    assert _cost(found, "media.process", "objects") == pytest.approx((6.0,))
    assert _cost(found, "media.process", "postgres") == pytest.approx((2.0,))


def test_the_photo_of_what_is_deleted_is_removed_by_the_job_alone() -> None:
    found = _all(
        _point("media.delete", 3.0, upload=1.0, media=4.0, postgres=2.0, edge=0.4),
        _point("post.delete", 3.0, posts=1.0, fanout=5.5, postgres=3.0, edge=0.4),
        _point("story.delete", 3.0, stories=1.0, media=4.0, postgres=2.5, edge=0.4),
    )
    assert _cost(found, "media.remove", "media") == pytest.approx((4.0,))
    assert _cost(found, "media.remove", "postgres") == pytest.approx((1.0,))
    assert _cost(found, "post.delete", "posts") == pytest.approx((1.0,))
    assert _cost(found, "post.delete", "fanout") == pytest.approx((1.5,))  # in one process with the media worker
    assert _cost(found, "post.delete", "postgres") == pytest.approx((2.0,))
    assert _cost(found, "post.delete", "edge") == ()
    assert _cost(found, "story.delete", "media") == ()
    assert _cost(found, "story.delete", "postgres") == pytest.approx((1.5,))


def test_the_fallback_path_keeps_its_name() -> None:
    found = _all(_point("feed.read" + DEGRADED, 10.0, feed=5.0))
    assert _cost(found, "feed.read" + DEGRADED, "feed") == pytest.approx((5.0,))


def test_processes_become_the_component_that_worked_in_them() -> None:
    scenario = read(SMALL)
    used = {"api": 1.0, "workers": 2.0, "postgres_0": 3.0, "postgres_1": 4.0, "gateway": 5.0, "prometheus": 6.0}
    assert by_class(scenario, "comment.add", used) == {
        Component.ENGAGEMENT: 1.0, Component.DISCOVERY: 2.0, "postgres": 7.0, "gateway": 5.0,
    }  # fmt: skip


def test_the_error_of_a_point_is_that_of_its_idle_use_and_of_the_mean_that_is_subtracted() -> None:
    still = Idle(ratio={"kafka": 0.04, "feed": 0.01}, sigma_seconds={"kafka": 0.01}, seconds=16.0)
    # 4 s of it vary by 0.01 s each; 4/16 of the error of the mean over 16 s comes to that
    assert still.error_seconds("kafka", 4.0) == pytest.approx(math.hypot(0.01 * 2.0, 4.0 * 0.01 / 4.0))
    assert still.error_seconds("feed", 4.0) == 0.0
    assert still.whole_ratio == pytest.approx(0.05)


TRUE_SECONDS = {"api": 0.005, "kafka": 0.002}  # of an operation; no other process has anything to do for it
IDLE_SIGMA_SECONDS = {"api": 0.006, "kafka": 0.008, "redis": 0.002, "shield": 0.001}


def _measured_points(seed: int) -> list[SteadyPoint]:
    """Points of an operation with these demands, each with the error of its idle use: 9 s at 2, 4 and 6 a second."""
    rng, still = np.random.default_rng(seed), Idle(ratio={}, sigma_seconds=IDLE_SIGMA_SECONDS)
    points = []
    for rate in (2.0, 4.0, 6.0):
        errors = {name: still.error_seconds(name, 9.0) / (9.0 * rate) for name in IDLE_SIGMA_SECONDS}
        spent = {name: TRUE_SECONDS.get(name, 0.0) + rng.normal(0.0, error) for name, error in errors.items()}
        points.append(
            SteadyPoint(
                operation="media.create", rate_per_second=rate, cpu_seconds=spent, variation=0.4, count=int(9 * rate),
                error_seconds=errors,
            )
        )  # fmt: skip
    return points


def test_known_demands_are_recovered_from_points_with_noise_and_processes_without_work_get_none() -> None:
    runs, errors, unweighted, free = 200, [], [], 0
    for seed in range(runs):
        points = _measured_points(seed)
        found = {each.process: each for each in demands._shared("media.create", points)}
        free += sum(name not in found for name in ("redis", "shield"))
        errors += [found["api"].at(rate) / TRUE_SECONDS["api"] - 1.0 for rate in (2.0, 4.0, 6.0)]
        unweighted += [point.cpu_seconds["api"] / TRUE_SECONDS["api"] - 1.0 for point in points]
        kept = {f"media.create at {name}" for name in found}
        assert not kept & set(demands.below_noise(points))
    assert np.quantile(np.abs(errors), 0.9) < 0.2
    assert np.std(errors) < 0.75 * np.std(unweighted)
    assert free > 0.95 * 2 * runs  # of twice the standard error, chance exceeds one side in 2.3 % of the cases


def test_an_operations_own_work_is_never_left_out() -> None:
    uncertain = {
        "cpu_seconds": {"upload": 0.001, "redis": 0.001},
        "error_seconds": {"upload": 0.002, "redis": 0.002},
    }
    points = [replace(_point("media.create", rate), **uncertain) for rate in (5.0, 20.0)]
    found = tuple(demands._shared("media.create", points))
    assert _cost(found, "media.create", "upload") == pytest.approx((1.0, 1.0))
    assert _cost(found, "media.create", "redis") == ()
    assert demands.below_noise(points) == ("media.create at redis",)


def test_points_that_are_sure_keep_what_was_measured_at_their_rate() -> None:
    points = [_point("user.read", 20.0, graph=4.0), _point("user.read", 80.0, graph=2.0)]
    assert _cost(tuple(demands._shared("user.read", points)), "user.read", "graph") == (4.0, 2.0)


def test_the_remaining_time_is_given_in_minutes_and_then_in_seconds() -> None:
    assert [calibrate._left(seconds) for seconds in (400.0, 20.0)] == ["about 7 min left", "about 20 s left"]
