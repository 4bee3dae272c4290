"""Ids: their parts can be read back, they sort by time, and no two are equal."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import ids

MILLISECONDS = st.integers(ids.EPOCH_MS, ids.EPOCH_MS + (1 << ids.TIME_BITS) - 1)
SHARDS = st.integers(0, (1 << ids.SHARD_BITS) - 1)
SEQUENCES = st.integers(0, (1 << ids.SEQUENCE_BITS) - 1)


@given(MILLISECONDS, SHARDS, SEQUENCES)
def test_an_id_gives_back_its_time_and_shard_and_fits_63_bits(at: int, shard: int, sequence: int) -> None:
    made = ids.compose(created_ms=at, shard=shard, sequence=sequence)
    assert 0 <= made <= ids.ID_MAX
    assert (ids.created_ms_of(made), ids.shard_of(made)) == (at, shard)
    assert ids.parse(str(made)) == made


@given(MILLISECONDS, MILLISECONDS, SHARDS, SHARDS, SEQUENCES, SEQUENCES)
def test_ids_sort_by_time(first: int, second: int, a: int, b: int, m: int, n: int) -> None:
    one = ids.compose(created_ms=first, shard=a, sequence=m)
    other = ids.compose(created_ms=second, shard=b, sequence=n)
    assert first == second or (one < other) is (first < second)


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=300),
    st.integers(1, 8).flatmap(lambda count: st.tuples(st.integers(0, count - 1), st.just(count))),
)
def test_a_sequence_increases_whatever_its_clock_does(steps: list[int], worker: tuple[int, int]) -> None:
    sequence = ids.IdSequence(worker=worker[0], worker_count=worker[1])
    now, made = ids.EPOCH_MS + 1_000, []
    for step in steps:
        now += step
        made.append(sequence.next(now_ms=now, shard=3))
    assert all(first < second for first, second in pairwise(made))


@given(st.integers(1, 8))
def test_no_two_workers_make_the_same_id(worker_count: int) -> None:
    made = [
        sequence.next(now_ms=ids.EPOCH_MS + 7, shard=1)
        for worker in range(worker_count)
        for sequence in [ids.IdSequence(worker=worker, worker_count=worker_count)]
        for _ in range(200)
    ]
    assert len(set(made)) == len(made)


def test_a_used_up_millisecond_is_followed_by_the_next() -> None:
    sequence = ids.IdSequence()
    made = [sequence.next(now_ms=ids.EPOCH_MS + 7, shard=0) for _ in range(1_025)]
    assert len(set(made)) == 1_025
    assert ids.created_ms_of(made[-1]) == ids.EPOCH_MS + 8


@given(st.text(max_size=30))
def test_only_ids_are_read_as_ids(text: str) -> None:
    try:
        value = ids.parse(text)
    except ValueError:
        return
    assert 0 <= value <= ids.ID_MAX
    assert text.isascii()


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1 ", "1_0", "٣", "0x1", "01", "00", "9223372036854775808", "1" * 5_000]
)
def test_an_invalid_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an id"):
        ids.parse(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"created_ms": ids.EPOCH_MS - 1, "shard": 0, "sequence": 0},
        {"created_ms": ids.EPOCH_MS + (1 << ids.TIME_BITS), "shard": 0, "sequence": 0},
        {"created_ms": ids.EPOCH_MS, "shard": 1 << 13, "sequence": 0},
        {"created_ms": ids.EPOCH_MS, "shard": -1, "sequence": 0},
        {"created_ms": ids.EPOCH_MS, "shard": 0, "sequence": 1 << 10},
    ],
)
def test_what_does_not_fit_an_id_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="outside"):
        ids.compose(**fields)


@pytest.mark.parametrize("worker", [(1, 1), (-1, 2), (0, 1_025)])
def test_a_worker_without_ids_is_refused(worker: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="has no ids"):
        ids.IdSequence(worker=worker[0], worker_count=worker[1])


@given(st.text(max_size=40), st.integers(1, ids.SHARD_COUNT_MAX))
def test_a_name_has_one_shard_whatever_its_case(name: str, shard_count: int) -> None:
    shard = ids.shard_of_name(name, shard_count)
    assert 0 <= shard < shard_count
    assert ids.shard_of_name(name.casefold(), shard_count) == shard


def test_names_spread_evenly_over_shards() -> None:
    counts = [0] * 16
    for number in range(16_000):
        counts[ids.shard_of_name(f"person_{number:06d}", 16)] += 1
    assert sum((count - 1_000) ** 2 / 1_000 for count in counts) < 44.3  # χ² with 15 degrees, p = 0.0001
