"""Each store killed and frozen in turn: what requests see, how soon, and when they succeed again after its return.

Prints a table: statuses and times of every operation whose answers changed or took long; others are in one line.
"""

from __future__ import annotations

import itertools
import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from core import ids
from stack import control, guard
from stack.holds import hold, release
from tests.stack.test_whole_stack import Client, _created, _post

pytestmark = pytest.mark.bench

CLIENT_SECONDS: Final = 10.0
KNOWN_SECONDS: Final = 12.0  # of requests, after which everybody knows
ROUNDS: Final = 5
LONG_SECONDS: Final = 0.25
BACK_SECONDS_MAX: Final = 60.0
STORES: Final = ("postgres", "redis", "kafka", "objects")
_KEYS: Final = itertools.count()

Acts = dict[str, Callable[[], int]]


@pytest.fixture(scope="module")
def acts(running_stack: control.RunningStack) -> Acts:
    """One request of each operation, by a person on each instance of PostgreSQL."""
    found: Acts = {}
    at_home: dict[int, Client] = {}
    for number in itertools.count():
        person = Client(running_stack.gateway_url, f"refused{number}")
        at_home.setdefault(ids.shard_of(int(person.id)) % 2, person)
        if len(at_home) == 2:
            break
    for instance, person in at_home.items():
        post, _ = _post(person, f"refusals-{instance}")
        found |= {f"{name} @{instance}": act for name, act in _acts(person, post).items()}
    return found


def _acts(who: Client, post: str) -> Acts:
    def ask(method: str, path: str, body: object = None) -> Callable[[], int]:
        def act() -> int:
            key = f"refused-{who.id}-{next(_KEYS)}"
            try:
                return who.ask(method, path, body, wait=CLIENT_SECONDS, **{"Idempotency-Key": key})[0]
            except OSError:  # no answer in time
                return 0

        return act

    registered = _created(who, "/media", {"content_type": "image/jpeg", "size_bytes": 9}, f"r-{who.id}")["media"]["id"]
    return {
        "feed.read": ask("GET", "/feed?limit=10"),
        "post.read": ask("GET", f"/posts/{post}"),
        "user.read": ask("GET", f"/users/{who.id}"),
        "like.add": ask("PUT", f"/posts/{post}/like"),
        "comment.add": ask("POST", f"/posts/{post}/comments", {"text": "hello"}),
        "story.tray": ask("GET", "/stories/tray"),
        "media.create": ask("POST", "/media", {"content_type": "image/jpeg", "size_bytes": 100}),
        "media.complete": ask("POST", f"/media/{registered}/complete", {}),
        "search.users": ask("GET", "/search/users?q=refused"),
        "graph.follow": ask("PUT", f"/users/{int(who.id)}/follow"),
    }


@contextmanager
def _down(running: control.RunningStack, name: str, blow: str) -> Iterator[None]:
    hold(running.data, name)
    pid = running.refresh().processes[name]
    family = guard.family(pid)
    for each in family if blow == "frozen" else [pid]:
        os.kill(each, signal.SIGSTOP if blow == "frozen" else signal.SIGKILL)
    try:
        yield
    finally:
        if blow == "frozen":
            for each in family:
                os.kill(each, signal.SIGCONT)
        release(running.data, name)


def _asked(acts: Acts, rounds: int) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            began = time.monotonic()
            status = act()
            found[name].append((status, time.monotonic() - began))
    return found


def test_what_requests_see_while_a_store_is_down(running_stack: control.RunningStack, acts: Acts) -> None:
    usual = {name: seen[-1][0] for name, seen in _asked(acts, 2).items()}
    assert not [name for name, status in usual.items() if status >= 500]
    stores = [name for name in running_stack.processes if name.rstrip("_0123456789") in STORES]
    assert len(stores) == 5
    for name, blow in itertools.product(stores, ("killed", "frozen")):
        with _down(running_stack, name, blow):
            began = time.monotonic()
            while time.monotonic() < began + KNOWN_SECONDS:
                _asked(acts, 1)
            seen = _asked(acts, ROUNDS)
        began = time.monotonic()
        back: dict[str, float] = {}
        while len(back) < len(usual):
            assert time.monotonic() < began + BACK_SECONDS_MAX, usual.keys() - back.keys()
            for act, status in usual.items():
                if act not in back and acts[act]() == status:
                    back[act] = time.monotonic() - began
        print(f"\n{name} {blow}; all as usual {max(back.values()):.1f} s after its return began")
        for act, answers in seen.items():
            statuses = Counter(status for status, _ in answers)
            seconds = [each for _, each in answers]
            if set(statuses) != {usual[act]} or max(seconds) > LONG_SECONDS:
                told = ", ".join(f"{status} × {count}" for status, count in sorted(statuses.items()))
                print(
                    f"  {act:<20}{told:<22}{1000 * statistics.median(seconds):7.0f} ms  {1000 * max(seconds):7.0f} ms"
                )
