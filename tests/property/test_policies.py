"""Policies: what must hold of every decision, whatever the input."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.names import Source
from core.policies import ads as ad_policy
from core.policies import breaker, fanout, restarts, retry, shard, stitch

RATIOS = st.floats(0.0, 0.99)


# --- fan-out ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**6), RATIOS, st.integers(0, 2 * 10**6), st.booleans())
def test_an_author_changes_sides_only_at_the_edge_of_the_side_he_is_on(
    threshold: int, hysteresis: float, followers: int, was: bool
) -> None:
    becomes = fanout.is_celebrity(
        followers=followers, was_celebrity=was, threshold=threshold, hysteresis_ratio=hysteresis
    )
    if followers >= threshold:
        assert becomes
    elif followers < threshold * (1 - hysteresis):
        assert not becomes
    else:
        assert becomes is was  # in between nothing changes


@given(st.integers(2, 10**6), st.floats(0.01, 0.9), st.lists(st.integers(-1, 1), max_size=200))
def test_a_follower_count_that_wavers_around_the_threshold_changes_sides_once_at_most(
    threshold: int, hysteresis: float, steps: list[int]
) -> None:
    lowest = threshold * (1 - hysteresis)
    was, changes, followers = False, 0, threshold - 1
    for step in steps:
        followers = max(followers + step, int(lowest) + 1)
        now = fanout.is_celebrity(
            followers=followers, was_celebrity=was, threshold=threshold, hysteresis_ratio=hysteresis
        )
        changes += now is not was
        was = now
    assert changes <= 1


@given(st.integers(0, 10**7), st.data(), st.booleans())
def test_a_posts_readers_are_pushed_to_or_pull_and_never_both(followers: int, data: st.DataObject, big: bool) -> None:
    active = data.draw(st.integers(0, followers))
    plan = fanout.split(followers=followers, active_followers=active, celebrity=big)
    assert (plan.push_count, plan.pull_count) == ((0, followers) if big else (active, 0))


def test_a_threshold_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fanout.is_celebrity(followers=1, was_celebrity=False, threshold=0, hysteresis_ratio=0.0)


# --- stitching -------------------------------------------------------------------------------------------------------


@st.composite
def candidates(draw: st.DrawFn, source: Source, authors: int = 8) -> list[stitch.Candidate]:
    rows = draw(st.lists(st.tuples(st.integers(1, 60), st.integers(1, authors), st.floats(0, 1)), max_size=40))
    found = [
        stitch.Candidate(item_id=item, author_id=author, source=source, rank_key=rank) for item, author, rank in rows
    ]
    return sorted(found, key=lambda candidate: -candidate.rank_key)


def _post(item: int, author: int) -> stitch.Candidate:
    return stitch.Candidate(item_id=item, author_id=author, source=Source.TIMELINE, rank_key=-float(item))


def _slots(followed: int, recommended: int) -> stitch.Quota:
    return stitch.Quota(followed=followed, recommended=recommended, ads=())


@st.composite
def quotas(draw: st.DrawFn, ads: st.SearchStrategy[int]) -> stitch.Quota:
    ads_ratio = draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]))
    followed = (1 - ads_ratio) * draw(st.integers(0, 10)) / 10
    return stitch.quota(
        draw(st.integers(1, 60)),
        followed_ratio=followed,
        recommended_ratio=1 - ads_ratio - followed,
        ads_ratio=ads_ratio,
        ads=draw(ads),
        shown=draw(st.integers(0, 200)),
    )


QUOTAS, WITHOUT_ADS = quotas(st.integers(0, 8)), quotas(st.just(0))


def stitched(
    followed: list[stitch.Candidate], recommended: list[stitch.Candidate], slots: stitch.Quota
) -> list[stitch.Candidate]:
    return stitch.with_ads(stitch.stitch(followed=followed, recommended=recommended, slots=slots), slots=slots)


@given(candidates(Source.TIMELINE), candidates(Source.RECOMMENDED), QUOTAS)
def test_a_page_repeats_no_post_and_is_never_longer_than_its_slots(
    followed: list[stitch.Candidate], recommended: list[stitch.Candidate], slots: stitch.Quota
) -> None:
    page = stitched(followed, recommended, slots)
    posts = [item for item in page if item.source is not Source.AD]
    assert len({item.item_id for item in posts}) == len(posts)
    assert len(page) <= slots.posts + len(slots.ads)
    assert set(posts) <= {*followed, *recommended}


@given(candidates(Source.TIMELINE, authors=3), candidates(Source.RECOMMENDED, authors=3), QUOTAS)
def test_no_author_stands_three_times_in_a_row_and_no_ad_twice(
    followed: list[stitch.Candidate], recommended: list[stitch.Candidate], slots: stitch.Quota
) -> None:
    page = stitched(followed, recommended, slots)
    posts = [item.author_id for item in page if item.source is not Source.AD]
    assert all(len({*posts[start : start + 3]}) > 1 for start in range(len(posts) - 2))
    assert not any(first.source is second.source is Source.AD for first, second in pairwise(page))


@given(candidates(Source.TIMELINE, authors=3), candidates(Source.RECOMMENDED, authors=3), WITHOUT_ADS)
@example(followed=[_post(1, 1), _post(2, 1), _post(3, 1), _post(4, 2)], recommended=[], slots=_slots(3, 0))
@example(followed=[_post(n, 1) for n in range(9)], recommended=[_post(n, n) for n in range(10, 15)], slots=_slots(6, 0))
def test_a_page_is_short_only_when_everything_is_used_up_or_all_that_is_left_is_one_authors(
    followed: list[stitch.Candidate], recommended: list[stitch.Candidate], slots: stitch.Quota
) -> None:
    page = stitched(followed, recommended, slots)
    wanted = slots.posts
    shown = {item.item_id for item in page}
    unique = {item.item_id: item.author_id for item in reversed((*followed, *recommended))}
    left = [item for item in unique if item not in shown]
    if len(page) == wanted or not left:
        return
    # posts to place between those of one author are searched among so many of each source
    last = {item.author_id for item in page[-2:]}
    assert len(last) == 1
    assert sum(unique[item] not in last for item in left) <= max(0, len(unique) - wanted)


def _slots_of_the_scenario(page: int, *, ads: int = 5, shown: int = 0) -> stitch.Quota:
    return stitch.quota(page, followed_ratio=0.6, recommended_ratio=0.3, ads_ratio=0.1, ads=ads, shown=shown)


@pytest.mark.parametrize(("posts", "ads"), [(0, 0), (1, 0), (5, 0), (8, 0), (9, 1), (20, 2), (44, 4), (45, 5)])
def test_a_page_of_50_has_an_ad_for_every_nine_posts(posts: int, ads: int) -> None:
    page = stitch.with_ads(items(Source.TIMELINE, posts, 0), slots=_slots_of_the_scenario(50))
    assert sum(item.source is Source.AD for item in page) == ads


@pytest.mark.parametrize("ads", [3, 5, 20])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 9, 10, 50, 99, 100])
def test_a_tenth_of_what_a_session_has_shown_are_ads_whatever_the_size_of_its_pages(limit: int, ads: int) -> None:
    shown: list[stitch.Candidate] = []
    while len(shown) < 400:
        slots = _slots_of_the_scenario(limit, ads=ads, shown=len(shown))
        page = stitched(items(Source.TIMELINE, 200, 0), items(Source.RECOMMENDED, 200, 1_000), slots)
        assert len(page) == limit
        numbers = [item.item_id for item in page if item.source is Source.AD]
        places = [place for place, item in enumerate(page) if item.source is Source.AD]
        for number in set(numbers):
            own = [place for place, each in zip(places, numbers, strict=True) if each == number]
            assert all(later - sooner >= ad_policy.REPEAT_ITEMS for sooner, later in pairwise(own))
        shown += page
    for count in range(len(shown) + 1):
        ads_shown = sum(item.source is Source.AD for item in shown[:count])
        assert abs(ads_shown - count / 10) < 1
    for count in range(0, len(shown), limit):
        counts = Counter(item.source for item in shown[:count])
        assert abs(counts[Source.RECOMMENDED] - 0.3 * count) <= 1
    turns = [item.item_id for item in shown if item.source is Source.AD]
    assert turns == [number % ads for number in range(len(turns))]


def test_where_there_are_too_few_ads_for_their_distance_posts_stand_instead_and_the_next_page_has_them_again() -> None:
    page = stitched(items(Source.TIMELINE, 90, 0), [], _slots_of_the_scenario(50, ads=1))
    assert [place for place, item in enumerate(page, start=1) if item.source is Source.AD] == [10, 40]
    assert len(page) == 50
    again = stitched(items(Source.TIMELINE, 90, 0), [], _slots_of_the_scenario(10, ads=1, shown=50))
    assert [place for place, item in enumerate(again, start=1) if item.source is Source.AD] == [10]


def items(source: Source, count: int, first: int) -> list[stitch.Candidate]:
    return [
        stitch.Candidate(item_id=first + n, author_id=first + n, source=source, rank_key=-float(n))
        for n in range(count)
    ]


def test_with_enough_of_everything_the_page_has_the_scenarios_proportions_at_every_depth() -> None:
    page = stitched(items(Source.TIMELINE, 90, 0), items(Source.RECOMMENDED, 90, 1_000), _slots_of_the_scenario(50))
    assert Counter(item.source for item in page) == {Source.TIMELINE: 30, Source.RECOMMENDED: 15, Source.AD: 5}
    for depth in range(10, 51, 10):
        posts = [item for item in page[:depth] if item.source is not Source.AD]
        assert sum(item.source is Source.TIMELINE for item in posts) == pytest.approx(len(posts) * 2 / 3, abs=1)
    ads = [index for index, item in enumerate(page) if item.source is Source.AD]
    assert {second - first for first, second in pairwise(ads)} == {10}


def test_within_a_source_the_better_ranked_stands_first() -> None:
    slots = stitch.quota(30, followed_ratio=0.6, recommended_ratio=0.4, ads_ratio=0.0, ads=5)
    page = stitched(items(Source.TIMELINE, 40, 0), items(Source.RECOMMENDED, 40, 1_000), slots)
    for source in (Source.TIMELINE, Source.RECOMMENDED):
        own = [item.item_id for item in page if item.source is source]
        assert own == sorted(own)


@pytest.mark.parametrize(
    ("own", "other", "expected"), [(50, 5, (40, 5)), (10, 50, (10, 35)), (50, 0, (45, 0)), (0, 50, (0, 45))]
)
def test_slots_that_one_source_cannot_fill_go_to_the_other_and_never_to_ads(
    own: int, other: int, expected: tuple[int, int]
) -> None:
    slots = _slots_of_the_scenario(50)
    page = stitched(items(Source.TIMELINE, own, 0), items(Source.RECOMMENDED, other, 1_000), slots)
    counts = Counter(item.source for item in page)
    assert (counts[Source.TIMELINE], counts[Source.RECOMMENDED], counts[Source.AD]) == (*expected, 5)


@given(st.integers(1, 100), st.integers(0, 100), st.integers(50, 100), st.integers(0, 10_000))
def test_a_quota_adds_up_and_is_within_one_of_its_shares(page: int, first: int, second: int, shown: int) -> None:
    posts = second / 100
    followed = posts * first / 100
    recommended, ads = posts - followed, 1 - posts
    slots = stitch.quota(
        page, followed_ratio=followed, recommended_ratio=recommended, ads_ratio=ads, ads=page, shown=shown
    )
    assert slots.followed + slots.recommended + len(slots.ads) == page
    assert min(slots.followed, slots.recommended) >= 0
    assert abs(len(slots.ads) - ads * page) < 1 + 1e-6
    # both ends of the page are rounded, for ads and for posts
    assert abs(slots.followed - followed * page) < 2 + 1e-6
    assert abs(slots.recommended - recommended * page) < 2 + 1e-6


# --- retry -----------------------------------------------------------------------------------------------------------

POLICIES = st.builds(
    retry.RetryPolicy,
    attempts=st.integers(1, 10),
    backoff_seconds=st.floats(0.001, 1.0),
    backoff_cap_seconds=st.floats(0.001, 10.0),
    budget_ratio=st.floats(0.0, 1.0),
)


@given(POLICIES, st.integers(1, 60), st.floats(0.001, 0.999))
def test_a_wait_is_within_its_cap_and_doubles_at_most(policy: retry.RetryPolicy, attempt: int, uniform: float) -> None:
    wait = retry.backoff_seconds(policy, attempt=attempt, uniform=uniform)
    assert 0 < wait < policy.backoff_cap_seconds
    assert wait < policy.backoff_seconds * 2 ** (attempt - 1)


@given(POLICIES, st.integers(1, 400))
def test_retries_stay_within_the_budget_when_everything_fails(policy: retry.RetryPolicy, calls: int) -> None:
    budget, retries = retry.RetryBudget(tokens=0.0), 0
    for _ in range(calls):
        budget, attempt = budget.after_first_try(policy), 1
        while retry.may_retry(policy, budget, attempt=attempt, retryable=True):
            budget, attempt, retries = budget.spend(), attempt + 1, retries + 1
        assert attempt <= policy.attempts
        assert budget.tokens >= 0
    assert retries <= policy.budget_ratio * calls + 1e-6


@given(POLICIES, st.integers(1, 10))
def test_what_is_not_safe_to_repeat_is_not_repeated(policy: retry.RetryPolicy, attempt: int) -> None:
    assert not retry.may_retry(policy, retry.RetryBudget(), attempt=attempt, retryable=False)


# --- breaker ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.floats(0.1, 5.0), st.lists(st.tuples(st.booleans(), st.floats(0.0, 2.0)), max_size=80))
def test_a_breaker_opens_after_so_many_failures_in_a_row_and_lets_one_probe_through(
    limit: int, open_seconds: float, calls: list[tuple[bool, float]]
) -> None:
    policy = breaker.BreakerPolicy(failures=limit, open_seconds=open_seconds)
    state, now, in_a_row, opened_at = breaker.Breaker(), 0.0, 0, None
    assert state.allows(policy, now_seconds=now)
    for succeeded, later in calls:
        now += later
        allowed = state.allows(policy, now_seconds=now)
        assert allowed is (opened_at is None or now - opened_at >= open_seconds)
        if not allowed:
            continue
        state = state.admitted(policy, now_seconds=now)
        if opened_at is not None:
            assert state.state is breaker.BreakerState.HALF_OPEN
            assert not state.allows(policy, now_seconds=now)  # the probe alone
        state = state.after(policy, succeeded=succeeded, now_seconds=now)
        in_a_row = 0 if succeeded else in_a_row + 1
        if succeeded:
            opened_at = None
            assert state == breaker.Breaker()
        elif opened_at is not None or in_a_row >= limit:
            opened_at = now
            assert state.state is breaker.BreakerState.OPEN


# --- shards ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 64).flatmap(lambda n: st.tuples(st.just(n), st.integers(n, 4_096))))
def test_every_instance_has_as_many_shards_as_any_other_but_one(counts: tuple[int, int]) -> None:
    physical, logical = counts
    held = Counter(shard.physical_of(each, physical) for each in range(logical))
    assert len(held) == physical
    assert max(held.values()) - min(held.values()) <= 1


def test_a_schema_is_named_by_its_number_alone() -> None:
    assert shard.schema_of(7) == "shard_7"
    with pytest.raises(ValueError, match="not a logical shard"):
        shard.schema_of("7; DROP TABLE users")  # type: ignore[arg-type]


# --- restarts --------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=100))
def test_a_process_is_started_again_after_every_death_and_a_steady_one_at_once(ready_seconds: list[float]) -> None:
    deaths, pauses = 0, []
    for seconds in ready_seconds:
        deaths = restarts.deaths_in_a_row(deaths, seconds)
        pauses.append(restarts.pause_seconds(deaths))
        if seconds >= restarts.STEADY_SECONDS:
            assert pauses[-1] == 0.0
    assert len(pauses) == len(ready_seconds)
    assert pauses[0] == 0.0
    assert all(0.0 <= pause <= restarts.PAUSE_CAP_SECONDS for pause in pauses)


def test_a_process_that_dies_over_and_over_waits_longer_each_time_up_to_the_cap() -> None:
    pauses = [restarts.pause_seconds(deaths) for deaths in range(1, 1000)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == restarts.PAUSE_CAP_SECONDS
