"""Pulls of celebrities' posts: what fan-out does not write, readers read."""

from __future__ import annotations

import msgspec
import pytest

from core import population
from core.profile import Profile
from sim.model.content import Content
from sim.model.flow import Per
from sim.model.pulls import FOLLOWED, KNOWN, Pulls
from sim.simulate import Result, simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile


def _told(*, followed: float = 1.0, known: float = 1.0) -> Profile:
    told = profile(variation=0.0, stalls=QUIET, idle=False)
    return msgspec.structs.replace(told, batch_sizes={**told.batch_sizes, FOLLOWED: followed, KNOWN: known})


def test_a_pull_like_those_of_calibration_costs_what_was_measured() -> None:
    for per in (Per.PULL, Per.MERGE):
        assert Pulls(followed_mean=3.0, known=8.0).factor(per, followed=3.0, known=8.0) == pytest.approx(1.0)


def test_a_pull_grows_with_the_celebrities_followed_and_hardly_with_those_known() -> None:
    pulls = Pulls(followed_mean=1.0, known=0.0)
    assert pulls.factor(Per.PULL, followed=10.0, known=0.0) == pytest.approx(11.6 / 2.6)
    assert pulls.factor(Per.PULL, followed=0.0, known=0.0) == pytest.approx(1.6 / 2.6)
    assert pulls.factor(Per.PULL, followed=1.0, known=1_000.0) == pytest.approx(2.8 / 2.6)
    assert pulls.factor(Per.MERGE, followed=1.0, known=1_000.0) == pytest.approx(1.0)
    assert 1.0 < pulls.factor(Per.MERGE, followed=10.0, known=0.0) < pulls.factor(Per.PULL, followed=10.0, known=0.0)


def test_who_is_pulled_is_who_is_not_pushed() -> None:
    asked = scenario(fanout={"threshold": 30})
    content, people = Content(asked, viral_author=None), population.draw_population(asked)
    celebrities = [author for author in range(people.posters) if content.fanout(author).push_count == 0]
    assert content.celebrities() == len(celebrities) > 3
    for person in (0, 17, 150):
        assert content.pulls(person) == sum(people.follows(person, author) for author in celebrities)
    mean = sum(content.pulls(person) for person in range(people.people)) / people.people
    assert content.mean_pull_count() == pytest.approx(mean)


def _at(threshold: int, told: Profile | None = None) -> Result:
    mix = {"feed.read": "80%", "post.create": "20%"}
    asked = scenario(mix=mix, rate="60/s", fanout={"threshold": threshold})
    return simulate(asked, told or _told(), engine="simpy")


def _spent(result: Result, process: str) -> float:
    return sum(seconds for name, _, seconds in result.usage if name == process)


def test_a_lower_threshold_moves_work_from_fan_out_to_reads() -> None:
    low, high = _at(5), _at(1_000)
    assert low.facts["feed_pull_mean_count"] > 4.0
    assert high.facts["feed_pull_mean_count"] == 0.0
    assert _spent(low, "workers") < 0.5 * _spent(high, "workers")
    assert _spent(low, "redis") > 1.3 * _spent(high, "redis")
    assert _spent(low, "feed") > 1.005 * _spent(high, "feed")


def test_a_profile_that_does_not_tell_what_was_pulled_is_noted() -> None:
    assert "assumed" not in _at(60).facts
    assert any("one celebrity" in note for note in _at(60, profile()).facts["assumed"])
