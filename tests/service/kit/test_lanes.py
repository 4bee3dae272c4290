"""Lanes: a bad, slow or hanging event, or a shard that is down, delays only events of the same key."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core import ids, messages
from core.failures import DeadlineExceeded, Unavailable
from core.messages import CommentCreated
from services.kit.bus import record
from services.kit.inhand import InHand, Note, checksum
from services.kit.item import Item, Poison, Progress, Work
from services.kit.lanes import SLICE_SECONDS, TRIES, UNITS_MAX, PartitionLane
from tests.service.waiting import until


@dataclass(frozen=True, slots=True)
class Logged:
    """A record as the Kafka client returns it."""

    offset: int
    key: bytes
    value: bytes


def post(number: int, *, shard: int = 0) -> int:
    return ids.compose(created_ms=ids.EPOCH_MS + 1_000 + number, shard=shard, sequence=0)


@dataclass(slots=True)
class Bench:
    """A lane, and what its handler does for each text: nothing, or what ``trouble`` says."""

    folder: Path
    batches: bool = False
    deadline_seconds: float = 20.0
    patience_seconds: float = 1_800.0
    trouble: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    handled: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    given_up: list[tuple[str, int]] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)
    offset: int = 0

    def lane(self, name: str = "group topic 0") -> PartitionLane:
        work = Work(
            handle=self._handle,
            give_up=self._give_up,
            moved=lambda: None,
            broken=self.broken.append,
            progress=Progress(),
            in_hand=InHand(self.folder / "in_hand"),
            batches=self.batches,
            deadline_seconds=self.deadline_seconds,
            patience_seconds=self.patience_seconds,
        )
        return PartitionLane(name, work)

    def items(self, *events: tuple[int, str]) -> list[Item]:
        """Events of posts, with their texts."""
        made = []
        for post_id, text in events:
            event = CommentCreated(event_id=1, at_ms=2, comment_id=3, post_id=post_id, user_id=4, text=text)
            out = record(event)
            made.append(Item(record=Logged(self.offset, out.key, out.payload), event=event))
            self.offset += 1
        return made

    async def _handle(self, items: Sequence[Item]) -> None:
        texts = [item.event.text for item in items if isinstance(item.event, CommentCreated)]
        for text in texts:
            self.calls[text] += 1
        for text in texts:
            if text in self.trouble:
                await self.trouble[text]()
        self.handled += texts

    async def _give_up(self, item: Item, error: BaseException | str, tries: int) -> None:
        event = messages.decode(CommentCreated.topic, item.record.value)
        assert isinstance(event, CommentCreated)
        self.given_up.append((event.text, tries))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def raises(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        raise error

    return act


async def at(lane: PartitionLane, position: int, *, within_seconds: float = 30.0) -> None:
    """Wait until all events before ``position`` are done."""

    async def there() -> bool:
        return lane.position == position

    await until(there, within_seconds=within_seconds)


async def test_events_of_one_key_keep_their_order_whatever_fails(bench: Bench) -> None:
    lefts = {"a2": 2, "b1": 1}

    def fails(text: str) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            if lefts[text]:
                lefts[text] -= 1
                raise Unavailable

        return act

    bench.trouble = {text: fails(text) for text in lefts}
    lane = bench.lane()
    lane.put(bench.items((post(1), "a1"), (post(1), "a2"), (post(2), "b1"), (post(1), "a3"), (post(2), "b2")))
    await at(lane, 5)
    assert [text for text in bench.handled if text[0] == "a"] == ["a1", "a2", "a3"]
    assert [text for text in bench.handled if text[0] == "b"] == ["b1", "b2"]
    assert (bench.given_up, bench.broken) == ([], [])


@pytest.mark.parametrize("batches", [False, True])
async def test_a_slow_event_holds_up_its_own_key_only(bench: Bench, batches: bool) -> None:
    bench.batches = batches
    over = asyncio.Event()

    async def slow() -> None:
        await over.wait()

    bench.trouble["slow"] = slow
    lane = bench.lane()
    lane.put(bench.items((post(1), "slow"), (post(1), "behind")))
    await asyncio.sleep(0)  # the batch begins with these
    lane.put(bench.items(*((post(number), f"other {number}") for number in range(2, 100))))

    async def others() -> bool:
        return len(bench.handled) == 98

    await until(others)
    assert lane.position == -1, "nothing may be committed past an event that is not handled"
    over.set()
    await at(lane, 100)
    assert bench.handled.index("slow") < bench.handled.index("behind")
    assert SLICE_SECONDS <= 0.25


async def test_many_slow_keys_leave_room_for_the_others(bench: Bench) -> None:
    over = asyncio.Event()

    async def slow() -> None:
        await over.wait()

    count = UNITS_MAX - 1
    bench.trouble = {f"slow {number}": slow for number in range(count)}
    lane = bench.lane()
    lane.put(bench.items(*((post(number), f"slow {number}") for number in range(count)), (post(500), "quick")))

    async def quick() -> bool:
        return bench.handled == ["quick"]

    await until(quick)
    over.set()
    await at(lane, count + 1)


async def test_one_key_with_many_events_takes_turns_with_the_others(bench: Bench) -> None:
    lane = bench.lane()
    lane.put(bench.items(*((post(1), f"a{number}") for number in range(500)), (post(2), "b")))
    await at(lane, 501)
    assert bench.handled.index("b") <= 2


async def test_a_bad_event_is_given_up_after_its_tries_and_its_key_continues(bench: Bench) -> None:
    bench.trouble = {"bad": raises(ValueError("bad")), "poison": raises(Poison("poison", tries=7))}
    lane = bench.lane()
    lane.put(bench.items((post(1), "bad"), (post(1), "next"), (post(2), "poison"), (post(3), "other")))
    await at(lane, 4)
    assert bench.calls["bad"] == TRIES
    assert bench.calls["poison"] == 1
    assert sorted(bench.given_up) == [("bad", TRIES), ("poison", 7)]
    assert sorted(bench.handled) == ["next", "other"]


async def test_a_bad_event_in_a_batch_costs_its_neighbours_a_few_tries_and_never_again(bench: Bench) -> None:
    bench.batches = True
    bench.trouble["bad"] = raises(ValueError("bad"))
    good = [(post(number), f"good {number}") for number in range(400)]
    lane = bench.lane()
    lane.put(bench.items(*good[:123], (post(900), "bad"), (post(900), "behind it"), *good[123:]))
    await at(lane, 402)
    assert bench.given_up == [("bad", TRIES)]
    assert sorted(bench.handled) == sorted(["behind it", *(text for _, text in good)])
    calls = [bench.calls[text] for _, text in good]
    assert max(calls) <= 10  # halves of 402, the last of which holds one neighbour
    assert sum(calls) <= 4 * len(calls)


@pytest.mark.parametrize("batches", [False, True])
async def test_a_shard_that_is_down_leaves_the_others_alone(bench: Bench, batches: bool) -> None:
    bench.batches = batches
    down = True

    async def on_shard_7() -> None:
        if down:
            raise Unavailable

    events = [(post(number, shard=number % 16), f"{number % 16} {number}") for number in range(480)]
    bench.trouble = {text: on_shard_7 for _, text in events if text.startswith("7 ")}
    lane = bench.lane()
    lane.put(bench.items(*events))

    async def others() -> bool:
        return sum(not text.startswith("7 ") for text in set(bench.handled)) == 450

    await until(others)
    assert not any(text.startswith("7 ") for text in bench.handled)
    before = sum(bench.calls[text] for _, text in events if text.startswith("7 "))
    lane.put(bench.items((post(7_000, shard=7), "7 more"), (post(7_001, shard=3), "3 more")))

    async def more() -> bool:
        return "3 more" in bench.handled

    await until(more)
    asked = sum(bench.calls[text] for _, text in events if text.startswith("7 ")) - before
    assert asked <= 30, "one event at a time asks whether the shard is back"
    down = False
    await at(lane, 482)
    assert bench.given_up == []


async def test_an_event_that_hangs_is_given_up_after_its_deadlines_while_others_are_handled(bench: Bench) -> None:
    bench.deadline_seconds = 2 * SLICE_SECONDS  # others are handled meanwhile, so the event itself is at fault

    async def hang() -> None:
        await asyncio.Event().wait()

    bench.trouble["hangs"] = hang
    lane = bench.lane()
    lane.put(bench.items((post(1), "hangs"), (post(1), "behind")))

    async def go_on() -> bool:
        if not bench.given_up:
            lane.put(bench.items((post(bench.offset + 10), "other")))
        return bool(bench.given_up)

    await until(go_on)
    assert bench.given_up[0][0] == "hangs"
    assert bench.calls["hangs"] >= TRIES
    await at(lane, bench.offset)
    assert "behind" in bench.handled


async def test_while_nothing_gets_on_a_hanging_event_is_not_at_fault(bench: Bench) -> None:
    bench.deadline_seconds = 0.05
    hangs = True

    async def hang() -> None:
        if hangs:
            await asyncio.Event().wait()

    bench.trouble = {"one": hang, "two": hang}
    lane = bench.lane()
    lane.put(bench.items((post(1), "one"), (post(2), "two")))

    async def tried() -> bool:
        return min(bench.calls["one"], bench.calls["two"]) > TRIES

    await until(tried)
    hangs = False
    await at(lane, 2)
    assert bench.given_up == []
    assert sorted(bench.handled) == ["one", "two"]


async def test_an_event_that_alone_always_times_out_is_given_up_in_the_end(bench: Bench) -> None:
    bench.patience_seconds = 1.0
    bench.trouble = {"late": raises(DeadlineExceeded()), "away": raises(Unavailable())}
    lane = bench.lane()
    lane.put(bench.items((post(1), "late"), (post(2), "away")))

    async def both() -> bool:
        if len(bench.given_up) < 2:
            lane.put(bench.items((post(bench.offset + 10), "other")))
            await asyncio.sleep(0.02)
        return len(bench.given_up) == 2

    await until(both)
    assert sorted(text for text, _ in bench.given_up) == ["away", "late"]


async def test_a_handlers_own_cancelled_call_is_a_failure_like_any_other(bench: Bench) -> None:
    bench.trouble["cancels"] = raises(asyncio.CancelledError())
    lane = bench.lane()
    lane.put(bench.items((post(1), "cancels"), (post(1), "next")))
    await at(lane, 2)
    assert (bench.given_up, bench.handled) == ([("cancels", TRIES)], ["next"])


async def test_tries_are_counted_across_a_stop_and_a_start(bench: Bench) -> None:
    failing, stopping = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        failing.set()
        if bench.calls["bad"] == 2:
            stopping.set()
            await asyncio.Event().wait()
        raise ValueError

    bench.trouble["bad"] = fail
    lane = bench.lane()
    items = bench.items((post(1), "bad"), (post(1), "next"))
    lane.put(items)
    await stopping.wait()
    await lane.close()  # one failed try, the second was interrupted
    assert bench.calls["bad"] == 2
    again = bench.lane()
    again.put([Item(record=item.record, event=item.event) for item in items])
    await at(again, 2)
    assert bench.calls["bad"] == 4
    assert bench.given_up[0][0] == "bad"


async def test_an_event_in_hand_at_each_death_of_its_process_is_given_up_untried(bench: Bench) -> None:
    items = bench.items((post(1), "kills"), (post(1), "next"), (post(2), "other"))
    notes = InHand(bench.folder / "in_hand")
    value = items[0].record.value
    notes.take(b"group topic 0", Note(first=0, last=0, tries=TRIES, checksum=checksum(value)))
    notes.take(b"group topic 0", Note(first=0, last=2, tries=1))  # a batch of an earlier death
    lane = bench.lane()
    lane.put(items)
    await at(lane, 3)
    assert bench.given_up == [("kills", TRIES)]
    assert bench.calls["kills"] == 0
    assert sorted(bench.handled) == ["next", "other"]
    lane.has_committed(3)
    assert InHand(bench.folder / "in_hand").left(b"group topic 0") == []


async def test_a_record_about_another_log_does_not_count_for_the_event_at_its_position(bench: Bench) -> None:
    items = bench.items((post(1), "good"))
    InHand(bench.folder / "in_hand").take(
        b"group topic 0", Note(first=0, last=0, tries=TRIES, checksum=checksum(b"other"))
    )
    lane = bench.lane()
    lane.put(items)
    await at(lane, 1)
    assert (bench.handled, bench.given_up) == (["good"], [])


async def test_suspects_are_handled_alone(bench: Bench) -> None:
    bench.batches = True
    items = bench.items(*((post(number), f"suspect {number}") for number in range(5)), (post(9), "later"))
    InHand(bench.folder / "in_hand").take(b"group topic 0", Note(first=0, last=4, tries=1))
    at_work = most = 0

    async def work() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1

    bench.trouble = {f"suspect {number}": work for number in range(5)}
    lane = bench.lane()
    lane.put(items)
    await at(lane, 6)
    assert most == 1
    assert set(bench.calls.values()) == {1}
