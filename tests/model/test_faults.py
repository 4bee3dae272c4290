"""Faults act at their times, visibly, and on nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.names import Outcome
from core.run import Samples
from core.scenario.faults import Latency
from sim.model.faults import FaultError
from sim.model.layout import layout_of
from sim.reference.link import LinkState
from sim.simulate import EngineName, Result, simulate
from tests.model.small import scenario
from tests.model.synthetic import profile


def _simulate(*faults: dict[str, Any], **changes: Any) -> Result:
    return simulate(scenario(faults=list(faults), **{"duration": "12s", **changes}), profile())


def _between(samples: Samples, begin: float, end: float) -> Samples:
    return samples.where((samples.at_seconds >= begin) & (samples.at_seconds < end))


def _outcomes(samples: Samples) -> set[str]:
    return set(samples.outcome.tolist())


def test_a_slow_redis_degrades_feed_reads_while_it_is_slow_and_not_before_or_long_after() -> None:
    result = _simulate({"at": "4s", "for": "4s", "link": "feed_redis", "latency": "300ms", "jitter": "100ms"})
    reads = result.samples.of("feed.read")
    assert _outcomes(_between(reads, 0.0, 3.9)) == {Outcome.OK.value}
    assert _outcomes(_between(reads, 4.0, 7.9)) == {Outcome.DEGRADED.value}
    assert _outcomes(_between(reads, 9.2, 12.0)) == {Outcome.OK.value}  # the breaker's second is over
    slowest = _between(reads, 4.0, 8.0).latency_seconds.max()
    assert 0.1 < slowest < 0.4  # the deadlines of the sources and of hydration, and PostgreSQL after them
    before, during = _between(reads, 0.0, 4.0).latency_seconds, _between(reads, 4.0, 8.0).latency_seconds
    assert np.median(during) > 1.3 * np.median(before)
    assert result.facts["breaker_opened_count"]["feed.timeline"] >= 3


def test_a_fault_on_one_link_leaves_the_others_alone() -> None:
    result = _simulate({"at": "4s", "for": "4s", "link": "feed_redis", "latency": "300ms"})
    for operation in ("like.add", "image.read", "story.tray", "search.users"):
        assert _outcomes(result.samples.of(operation)) == {Outcome.OK.value}


def test_a_latency_reaches_whoever_has_no_deadline_as_it_is() -> None:
    result = _simulate(
        {"at": "4s", "for": "4s", "link": "gateway_search", "latency": "200ms"}, mix={"search.users": "100%"}
    )
    during = _between(result.samples, 4.0, 7.7).latency_seconds
    assert during.min() > 0.2
    assert np.median(during) == pytest.approx(0.2, abs=0.01)
    assert _between(result.samples, 8.0, 12.0).latency_seconds.max() < 0.1


@pytest.mark.parametrize("kind", [{"down": True}, {"reset": True}])
def test_a_link_that_is_cut_fails_at_once(kind: dict[str, bool]) -> None:
    result = _simulate(
        {"at": "4s", "for": "4s", "link": "upload_postgres", **kind}, mix={"media.upload": "100%"}, rate="10/s"
    )
    during = _between(result.samples.of("media.create"), 4.0, 8.0)
    assert _outcomes(during) == {Outcome.REFUSED.value}
    assert set(during.status.tolist()) == {503}
    assert during.latency_seconds.max() < 0.05
    assert _outcomes(_between(result.samples, 8.5, 12.0)) == {Outcome.OK.value}


def test_answers_that_stop_make_callers_wait_for_their_own_limit() -> None:
    result = _simulate(
        {"at": "4s", "for": "5s", "link": "upload_postgres", "timeout": "30s"}, mix={"media.upload": "100%"}, rate="2/s"
    )
    during = _between(result.samples.of("media.create"), 4.1, 6.5)
    assert len(during)
    assert _outcomes(during) == {Outcome.REFUSED.value}
    assert during.latency_seconds == pytest.approx(np.full(len(during), 2.0), abs=0.05)


def test_a_client_gives_up_in_time_and_leaves_its_work_behind() -> None:
    result = _simulate(
        {"at": "4s", "for": "5s", "link": "gateway_stories", "latency": "2s"},
        mix={"story.tray": "100%"},
        timeout="500ms",
    )
    during = _between(result.samples, 4.1, 8.0)
    assert _outcomes(during) == {Outcome.TIMEOUT.value}
    assert during.latency_seconds.tolist() == pytest.approx([0.5] * len(during))
    tray = {stage: count for _, _, stage, count, _ in result.stages}
    assert tray["load"] == len(result.samples.judged())  # the service did them all


def test_a_narrow_link_takes_as_long_as_the_bytes_need() -> None:
    result = _simulate(
        {"at": "4s", "for": "4s", "link": "client_edge", "bandwidth": "600kB"}, mix={"image.read": "100%"}
    )
    during = _between(result.samples, 4.0, 7.8).latency_seconds
    assert np.median(during) == pytest.approx(0.1, abs=0.005)  # 60 kB


def test_a_narrow_link_is_narrow_both_ways() -> None:
    fault = {"at": "4s", "for": "4s", "link": "client_objects", "bandwidth": "1MB"}
    result = _simulate(fault, mix={"media.upload": "100%"}, rate="5/s")
    during = _between(result.samples.of("object.put"), 4.0, 7.5).latency_seconds
    assert np.median(during) == pytest.approx(1600 * 1200 * 0.18 / 1e6, rel=0.05)  # the photo, on its way there


def test_a_fault_on_a_link_that_nothing_crosses_is_refused_by_name() -> None:
    with pytest.raises(
        FaultError, match=r"faults\[0\]\.link: found feed_kafka, which no operation .* crosses client_edge"
    ):
        _simulate({"at": "4s", "for": "4s", "link": "feed_kafka", "down": True})
    with pytest.raises(FaultError, match=r"found feed_redis"):
        _simulate({"at": "4s", "for": "4s", "link": "feed_redis", "down": True}, mix={"search.users": "100%"})


@pytest.mark.parametrize("process", [process.name for process in layout_of(scenario()).processes])
@pytest.mark.parametrize("action", ["kill", "pause"])
def test_whatever_happens_to_any_process_the_system_recovers(process: str, action: str) -> None:
    fault = {"at": "1s", "for": "1s", "process": process, "action": action}
    asked = scenario(faults=[fault], duration="9s", rate="12/s")
    result = simulate(asked, profile(), engine="simpy")
    assert _outcomes(_between(result.samples, 7.5, 9.0)) == {Outcome.OK.value}
    assert result.facts["breaker_opened_count"].keys() >= {"feed.timeline"}
    assert sum(count for name, count in result.ledger.items() if name.endswith(".lost")) == 0


def test_a_killed_process_fails_its_requests_until_it_is_back() -> None:
    result = _simulate({"at": "4s", "process": "api", "action": "kill"}, rate="80/s")
    likes = result.samples.of("like.add")
    assert _outcomes(_between(likes, 0.0, 3.9)) == {Outcome.OK.value}
    assert _outcomes(_between(likes, 4.01, 5.4)) <= {Outcome.FAILED.value, Outcome.REFUSED.value}
    assert _outcomes(_between(likes, 5.6, 12.0)) == {Outcome.OK.value}
    assert _outcomes(result.samples.of("feed.read")) == {Outcome.OK.value}  # another process
    begins, ends = result.journal
    assert (begins.event, ends.event) == ("fault_begins", "fault_ends")
    assert ends.at_seconds - begins.at_seconds == pytest.approx(1.5)  # its start; the first death costs no pause


def test_a_dead_gateway_is_a_lost_connection() -> None:
    result = _simulate({"at": "4s", "process": "gateway", "action": "restart", "for": "1s"})
    assert Outcome.LOST.value in _outcomes(_between(result.samples.of("feed.read"), 4.0, 5.0))
    assert _outcomes(result.samples.of("image.read")) == {Outcome.OK.value}  # past the gateway


@pytest.mark.parametrize(("process", "outcome"), [("objects", Outcome.REFUSED), ("front", Outcome.LOST)])
def test_a_dead_object_store_is_told_by_its_front_and_a_dead_front_by_nobody(process: str, outcome: Outcome) -> None:
    fault = {"at": "4s", "process": process, "action": "restart", "for": "1s"}
    puts = _simulate(fault, mix={"media.upload": "100%"}, rate="10/s").samples.of("object.put")
    assert _outcomes(_between(puts, 4.05, 4.9)) == {outcome.value}
    for calm in (_between(puts, 0.0, 3.8), _between(puts, 8.0, 12.0)):
        assert _outcomes(calm) == {Outcome.OK.value}


def test_a_paused_process_answers_late_and_loses_nothing() -> None:
    result = _simulate({"at": "4s", "for": "2s", "process": "api", "action": "pause"}, rate="80/s")
    likes = result.samples.of("like.add")
    assert _outcomes(likes) == {Outcome.OK.value}
    waited = _between(likes, 4.0, 6.0)
    assert (waited.at_seconds + waited.latency_seconds).min() >= 6.0
    assert waited.latency_seconds.max() == pytest.approx(2.0, abs=0.15)


def test_redis_comes_back_empty_and_is_filled_from_postgres() -> None:
    result = _simulate({"at": "4s", "process": "redis", "action": "kill"})
    caches = {name: (hits, misses) for name, hits, misses in result.caches}
    assert caches["post_card"][1] > 0
    assert caches["timeline"][1] > 0
    assert _outcomes(_between(result.samples.of("feed.read"), 7.0, 12.0)) == {Outcome.OK.value}


def test_a_toxic_that_is_taken_away_lets_through_what_it_held_back() -> None:
    fault = Latency(at_seconds=4.0, for_seconds=1.0, link="feed_redis", latency_seconds=0.3, jitter_seconds=0.1)
    link = LinkState("feed_redis")
    link.begin(fault)

    def held_back(now: float) -> float:
        return link.answer(now=now, trips=1.0, answer_bytes=1, uniform=0.75)[0]

    assert held_back(4.2) == pytest.approx(0.35)
    assert held_back(4.9) == pytest.approx(0.1)


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_latencies_that_overlap_on_a_link_add_up_and_each_ends_at_its_own_time(engine: EngineName) -> None:
    faults = [
        {"at": f"{at}s", "for": "4s", "link": "gateway_search", "latency": "200ms", "jitter": "50ms"} for at in (3, 5)
    ]
    asked = scenario(faults=faults, duration="12s", rate="80/s", mix={"search.users": "100%"})
    samples = simulate(asked, profile(), engine=engine).samples
    for begin, end, expected in ((0.0, 3.0, 0.0), (3.0, 5.0, 0.2), (5.0, 6.5, 0.4), (7.0, 8.7, 0.2), (9.1, 12.0, 0.0)):
        seen = _between(samples, begin, end).latency_seconds
        assert len(seen)
        assert np.median(seen) == pytest.approx(expected, abs=0.03), (begin, end)
    # two jitters of 50 ms are seldom both at their end: their sum is a triangle, not as wide as one of 100 ms
    both = _between(samples, 5.0, 6.5).latency_seconds
    assert both.std() == pytest.approx(0.05 * np.sqrt(2 / 3), rel=0.25)


def test_an_overload_is_answered_with_refusals_and_time_outs_and_ends() -> None:
    result = _simulate(mix={"feed.read": "100%"}, rate="1200/s", duration="3s", timeout="800ms", admission=False)
    outcomes = _outcomes(result.samples.judged())
    assert Outcome.TIMEOUT.value in outcomes
    assert Outcome.REFUSED.value in outcomes  # 512 under way, and no more
    assert result.samples.latency_seconds.max() <= 0.8 + 1e-9
    # the one core is never idle; what is missing in a second is what stalls took
    busy = sum(seconds for _, second, seconds in result.usage if second == 1)
    assert busy == pytest.approx(1.0, abs=0.02)


def test_a_fault_on_a_process_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"faults\[0\]\.process: found 'fed'; expected a process; did you mean feed"):
        _simulate({"at": "1s", "for": "1s", "process": "fed", "action": "pause"})


@pytest.mark.parametrize(("limit", "cut_ratio"), [("9kB", 1.0), ("25kB", 1 / 3), ("50kB", 0.0), ("55kB", 1 / 6)])
def test_a_connection_is_cut_by_the_answer_that_goes_beyond_its_limit(limit: str, cut_ratio: float) -> None:
    # an answer is of 10 kB: one that just reaches the limit is the last, and whole
    fault = {"at": "2s", "for": "8s", "link": "gateway_stories", "limit_data": limit}
    result = _simulate(fault, mix={"story.tray": "100%"}, rate="60/s")
    during = _between(result.samples, 2.0, 9.9)
    assert _outcomes(_between(result.samples, 0.0, 1.9)) == {Outcome.OK.value}
    assert (during.outcome != Outcome.OK.value).mean() == pytest.approx(cut_ratio, abs=0.02)
    assert during.latency_seconds.max() < 1.0  # the next one opens another connection at once


def test_a_close_that_comes_late_leaves_those_waiting_who_were_under_way_and_nobody_else() -> None:
    slow = {"at": "500ms", "for": "9s", "link": "gateway_feed", "slow_close": "2s"}
    kill = {"at": "4s", "process": "feed", "action": "kill"}
    samples = _simulate(slow, kill, mix={"feed.read": "100%"}, rate="400/s").samples
    # who came just before is still at the gateway, and whose answer came just after had left the service
    under_way = (samples.at_seconds < 3.98) & (samples.at_seconds + samples.latency_seconds > 4.02)
    assert under_way.sum() >= 1
    assert _outcomes(samples.where(under_way)) == {Outcome.FAILED.value}
    ends = (samples.at_seconds + samples.latency_seconds)[under_way]
    assert ends == pytest.approx(np.full(len(ends), 6.0), abs=0.05)
    after = samples.where((samples.at_seconds >= 4.0) & (samples.at_seconds < 5.4))
    assert _outcomes(after) == {Outcome.FAILED.value}
    assert after.latency_seconds.max() < 0.1  # no connection is open any more
