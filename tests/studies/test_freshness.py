"""How late work behind an answer is, as the model records it: weighted by readers, and a backlog never looks fresh."""

from __future__ import annotations

import math
from typing import Any

import pytest

from core import population, traffic
from sim.results.jobs import CLASSES, JobDelay, JobTally, class_of, upper_seconds
from sim.simulate import simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile

POSTS = {"post.create": "100%"}


def _fanout(**changes: Any) -> JobDelay:
    asked = scenario(mix=POSTS, rate="10/s", duration="3s", **changes)
    found = simulate(asked, profile(variation=0.0, stalls=QUIET, idle=False))
    return next(job for job in found.jobs if job.job == "fanout.deliver")


def test_a_class_holds_the_delays_below_its_bound() -> None:
    for seconds in (0.0, 0.0005, 0.001, 0.0123, 1.0, 999.0):
        assert seconds < upper_seconds(class_of(seconds)) or class_of(seconds) == 0
    assert class_of(1e9) == CLASSES - 1
    assert upper_seconds(CLASSES - 1) == math.inf


def test_mean_and_quantiles_are_weighted_by_who_waits() -> None:
    tally = JobTally(job="fanout.deliver")
    for asked, done, weight in ((0.0, 0.1, 1.0), (0.0, 1.0, 3.0)):
        tally.asked(asked, weight=weight)
        tally.done(done, asked_seconds=asked, weight=weight)
    told = tally.delay(5.0)
    assert told.mean_seconds == pytest.approx((0.1 + 3.0) / 4)
    assert told.quantile_seconds(0.2) == pytest.approx(0.1, rel=0.13)
    assert told.quantile_seconds(0.95) == pytest.approx(1.0, rel=0.13)
    assert told.undone_ratio == 0.0


def test_what_is_not_done_counts_with_its_age_and_lies_beyond_every_quantile() -> None:
    tally = JobTally(job="fanout.deliver")
    tally.asked(1.0, weight=1.0)
    tally.asked(2.0, weight=1.0)
    tally.done(2.5, asked_seconds=2.0, weight=1.0)
    told = tally.delay(11.0)
    assert told.mean_seconds == pytest.approx((0.5 + 10.0) / 2)
    assert told.undone_ratio == pytest.approx(0.5)
    assert told.quantile_seconds(0.5) == pytest.approx(0.5, rel=0.13)
    assert told.quantile_seconds(0.51) == math.inf


def test_nobody_waiting_has_no_delay() -> None:
    told = JobTally(job="fanout.deliver").delay(1.0)
    assert (told.mean_seconds, told.undone_ratio, told.quantile_seconds(0.5)) == (None, None, None)


def test_pushed_posts_are_seen_when_their_timelines_are_written_and_pulled_ones_at_once() -> None:
    pushed = _fanout(fanout={"threshold": 1_000})
    pulled = _fanout(fanout={"threshold": 1})
    assert pushed.mean_seconds is not None
    assert pushed.mean_seconds > 0.0005
    assert pulled.mean_seconds is not None
    assert pulled.mean_seconds < 0.0002  # the event's way from the log
    assert pulled.quantile_seconds(0.95) == 0.0
    assert pushed.count == pulled.count > 10
    assert pushed.weight == pulled.weight


def test_a_post_weighs_as_much_as_its_author_has_followers() -> None:
    asked = scenario(mix=POSTS, rate="60/s", duration="3s")
    job = next(each for each in simulate(asked, profile()).jobs if each.job == "fanout.deliver")
    schedule, followers = traffic.draw_schedule(asked), population.draw_population(asked).follower_counts
    expected = float(followers[schedule.person[schedule.at_seconds >= 0.0]].sum())
    at_the_edges = 2.0 * float(followers[0])  # a post of the warm-up that is emitted later, one that the end cuts off
    assert job.weight == pytest.approx(expected, abs=at_the_edges)
    assert expected > 5 * at_the_edges
