"""Every process of the stack killed and frozen once under light load, with a ledger of acknowledged writes.

Prints a table: when the process was back, what clients saw meanwhile, and the acknowledged writes that were lost: none.
Frozen means SIGSTOP to the process and its descendants for 8 s; the supervisor is not notified.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import pytest

from core.operations import API
from stack import control, guard
from tests.client import Client
from tests.stack.test_whole_stack import _in_feed, _post
from tests.waiting import until

pytestmark = pytest.mark.bench

PER_SECOND: Final = 40
CLIENT_SECONDS: Final = 5.0
FROZEN_SECONDS: Final = 8.0
CALM_SECONDS: Final = 2.0  # without an error, after which the outage is over
BACK_SECONDS_MAX: Final = 90.0


@dataclass(slots=True)
class Seen:
    """What clients have seen since it was created."""

    began: float = field(default_factory=time.monotonic)
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    last_error_at: float = 0.0

    def add(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] += 1
        self.slowest_seconds = max(self.slowest_seconds, seconds)
        if not outcome.startswith("2"):
            self.last_error_at = time.monotonic()


class Load:
    """Each person follows, likes and reads repeatedly, one request after another; writes are in a ledger."""

    def __init__(self, people: list[Client], posts: list[str], image: str):
        self.people, self.posts, self.image = people, posts, image
        self.seen = Seen()
        self.said: dict[tuple[int, str], bool | None] = {}  # last acknowledged; None: nobody knows
        self.session: aiohttp.ClientSession

    async def ask(self, person: int, method: str, path: str, url: str = "") -> tuple[int, Any]:
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {self.people[person]._token}"}
        try:
            target = url or self.people[person]._base + path
            async with self.session.request(method, target, headers=headers if not url else {}) as answer:
                body = None if url else await answer.json(content_type=None)
                status, outcome = answer.status, str(answer.status)
        except TimeoutError:
            status, body, outcome = 0, None, "time-out"
        except aiohttp.ClientError as error:
            status, body, outcome = 0, None, type(error).__name__
        self.seen.add(outcome, time.monotonic() - began)
        return status, body

    async def write(self, person: int) -> None:
        count = 0
        while True:
            count += 1
            what = self.posts[count % len(self.posts)] if count % 2 else self.people[person - 1].id
            path = f"/posts/{what}/like" if count % 2 else f"/users/{what}/follow"
            on = count % 8 < 4
            self.said[(person, path)] = None
            status, _ = await self.ask(person, "PUT" if on else "DELETE", path)
            if status == 200:
                self.said[(person, path)] = on
            await asyncio.sleep(len(self.people) / (PER_SECOND / 2))

    async def read(self, person: int) -> None:
        while True:
            await self.ask(person, "GET", "/feed?limit=10")
            await asyncio.sleep(len(self.people) / (PER_SECOND / 2))

    async def look(self) -> None:
        while True:
            await self.ask(0, "GET", "", url=self.image)
            await asyncio.sleep(0.5)

    async def _sure(self, person: int, path: str) -> Any:
        async with asyncio.timeout(BACK_SECONDS_MAX):
            while (answer := await self.ask(person, "GET", path))[0] != 200:  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.1)
        return answer[1]

    async def lost(self) -> list[str]:
        """Acknowledged writes that are lost; call it while nothing writes."""
        gone = []
        for (person, path), on in self.said.items():
            what = path.split("/")[2]
            if path.endswith("/like"):
                post = await self._sure(person, f"/posts/{what}")
                is_on = post["post"]["viewer_has_liked"]
            else:
                found = await self._sure(person, f"/users/{what}")
                is_on = found["user"]["viewer_follows"]
            if on is not None and is_on is not on:
                gone.append(f"person {person} {path}: acknowledged {on}, is {is_on}")
        return gone


@pytest.fixture
async def load(running_stack: control.RunningStack) -> AsyncIterator[Load]:
    author = Client(running_stack.gateway_url, "outageauthor")
    people = [Client(running_stack.gateway_url, f"outage{number}") for number in range(8)]
    for person in people:
        assert person.ask("PUT", f"/users/{author.id}/follow")[0] == 200
    posts = [_post(author, f"outage-{number}")[0] for number in range(3)]
    shown = until(lambda: _in_feed(people[0], posts[-1]), "no photo in the feed")
    load = Load(people, posts, shown["media"][0]["variants"][0]["url"])
    timeout = aiohttp.ClientTimeout(total=CLIENT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        load.session = session
        yield load


async def test_every_process_is_killed_and_frozen_once_and_nothing_acknowledged_is_lost(
    running_stack: control.RunningStack, load: Load
) -> None:
    assert API in load.people[0]._base
    rows = []
    for name in running_stack.refresh().processes:
        for blow in ("killed", "frozen"):
            rows.append(f"{name:<12}{blow:<8}{await _strike(running_stack, load, name, blow)}")
            print(rows[-1], flush=True)
            assert rows[-1].endswith(" 0")
    assert len(rows) == 2 * len(running_stack.processes)


async def _strike(running: control.RunningStack, load: Load, name: str, blow: str) -> str:
    """Strike one process under load; returns recovery time, errors, slowest request, acknowledged and lost writes."""
    load.seen = Seen()
    tasks = [asyncio.create_task(act(person)) for person in range(len(load.people)) for act in (load.write, load.read)]
    tasks.append(asyncio.create_task(load.look()))
    await asyncio.sleep(1.0)
    before = running.refresh().processes[name]
    family = guard.family(before)
    load.seen = Seen()
    for pid in family if blow == "frozen" else [before]:
        os.kill(pid, signal.SIGSTOP if blow == "frozen" else signal.SIGKILL)
    back = await _seconds_until(lambda: _ready(running, name, before), load.seen.began)
    if blow == "frozen":
        await _seconds_until(lambda: time.monotonic() > load.seen.began + FROZEN_SECONDS, load.seen.began)
        for pid in family:
            if pid in guard.family(running.state.guard_pid):
                os.kill(pid, signal.SIGCONT)
    await _seconds_until(lambda: time.monotonic() > load.seen.last_error_at + CALM_SECONDS, load.seen.began)
    errors = {outcome: count for outcome, count in sorted(load.seen.outcomes.items()) if not outcome.startswith("2")}
    well = max(0.0, load.seen.last_error_at - load.seen.began) if load.seen.last_error_at else 0.0
    told = f"{load.seen.outcomes.total():>6} requests, errors {errors or 'none'}"
    slowest = load.seen.slowest_seconds
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    lost = await load.lost()
    assert lost == []
    return f"back {back:5.1f} s, last error {well:5.1f} s, slowest {slowest:4.1f} s, {told}, lost {len(lost)}"


def _ready(running: control.RunningStack, name: str, before: int) -> bool:
    return any(
        row.name == name and row.state == "ready" and row.pid not in (0, before)
        for row in running.refresh().state.processes
    )


async def _seconds_until(holds: Callable[[], bool], began: float) -> float:
    async with asyncio.timeout(BACK_SECONDS_MAX):
        while not holds():  # noqa: ASYNC110 - what is waited for is in other processes
            await asyncio.sleep(0.05)
    return time.monotonic() - began
