"""Under overload background work yields to readers and is not starved: its lag has a bound, and nothing is lost."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from stack import control
from tests import lags
from tests.client import Client
from tests.stack.test_whole_stack import _in_feed, _post
from tests.waiting import until

POSTS = 8
READERS = 16
#: What the documents promise at four times what the stack can serve.
LAG_SECONDS_MAX = 60.0


def test_readers_beyond_the_knee_neither_stop_nor_lose_background_work(running_stack: control.RunningStack) -> None:
    author, follower = Client(running_stack.gateway_url, "busy_author"), Client(running_stack.gateway_url, "busy_fan")
    assert follower.ask("PUT", f"/users/{author.id}/follow")[0] == 200
    readers = [Client(running_stack.gateway_url, f"busy_reader_{number}") for number in range(READERS)]
    before, over, statuses = lags.read(running_stack), threading.Event(), Counter[int]()

    def read(reader: Client) -> None:
        while not over.is_set():
            for path in ("/feed", "/stories/tray", f"/users/{author.id}/posts"):
                statuses[reader.ask("GET", path, wait=60.0)[0]] += 1

    with ThreadPoolExecutor(READERS) as threads:
        reading = [threads.submit(read, reader) for reader in readers]
        try:
            posts = [_post(author, f"busy-{number}")[0] for number in range(POSTS)]
            until(lambda: all_done(running_stack, before), "background work stands still beside readers")
        finally:
            over.set()
        for each in reading:
            each.result()
    assert statuses[200] > 10 * POSTS, statuses
    for name, lag in added(running_stack, before).items():
        assert lag.longest_bound <= LAG_SECONDS_MAX, (name, lag)
    until(
        lambda: all(_in_feed(follower, post) for post in posts),
        "an acknowledged post is missing in the follower's feed",
    )


def added(stack: control.RunningStack, before: dict[str, lags.Lag]) -> dict[str, lags.Lag]:
    return {name: lag.since(before[name]) for name, lag in lags.read(stack).items()}


def all_done(stack: control.RunningStack, before: dict[str, lags.Lag]) -> bool:
    return all(lag.count >= POSTS for lag in added(stack, before).values())
