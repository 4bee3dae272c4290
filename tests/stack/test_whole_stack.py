"""The whole stack, with its services: a photo passes through all of it, and killed processes are restarted."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

import pytest
import pyvips

from core.names import Component, Server
from lab.counters import CounterReadings, JudgedCounters
from stack import control, usage
from stack.backing import varnish
from tests.client import Client
from tests.waiting import until


@pytest.fixture(scope="module")
def alice(running_stack: control.RunningStack) -> Client:
    return Client(running_stack.gateway_url, "alice")


@pytest.fixture(scope="module")
def bob(running_stack: control.RunningStack, alice: Client) -> Client:
    made = Client(running_stack.gateway_url, "bob")
    assert made.ask("PUT", f"/users/{alice.id}/follow")[0] == 200
    return made


def _post(author: Client, key: str) -> tuple[str, bytes]:
    photo: bytes = pyvips.Image.gaussnoise(1600, 1200).cast("uchar").jpegsave_buffer()
    asked = {"content_type": "image/jpeg", "size_bytes": len(photo)}
    made = _created(author, "/media", asked, f"{key}-media")
    upload = made["upload"]
    put = urllib.request.Request(upload["url"], method=upload["method"], data=photo, headers=upload["headers"])
    with urllib.request.urlopen(put, timeout=20) as answer:
        assert answer.status == 200
    media = made["media"]["id"]
    until(lambda: author.ask("POST", f"/media/{media}/complete", {})[0] == 202, "the upload cannot be completed")
    asked = {"media_ids": [media], "caption": "from the wind tunnel"}
    return _created(author, "/posts", asked, f"{key}-post")["post"]["id"], photo


def _created(author: Client, path: str, asked: object, key: str) -> Any:
    """Create as a client does: after a 503 it tries again, with the same key."""

    def attempt() -> Any:
        status, made = author.ask("POST", path, asked, **{"Idempotency-Key": key})
        assert status in (201, 503), made
        return made if status == 201 else None

    return until(attempt, f"{path} creates nothing")


def _in_feed(reader: Client, post: str) -> Any:
    items = reader.ask("GET", "/feed")[1].get("items", ())
    found = [item["post"] for item in items if item["kind"] == "post" and item["post"]["id"] == post]
    return found[0] if found and found[0]["media"][0].get("variants") else None


def test_a_photo_goes_from_the_author_through_every_server_into_a_followers_feed(
    running_stack: control.RunningStack, alice: Client, bob: Client
) -> None:
    post, photo = _post(alice, "first")
    seen = until(lambda: _in_feed(bob, post), "the photo is not in the follower's feed")
    urls = {variant["name"]: variant["url"] for variant in seen["media"][0]["variants"]}
    assert all(url.startswith(f"{running_stack.media_url}/media/") for url in urls.values())
    with urllib.request.urlopen(urls["640"], timeout=20) as answer:
        assert answer.headers["X-Cache-Tier"] == "origin"
        image = pyvips.Image.new_from_buffer(answer.read(), "")
    assert (image.width, image.height) == (640, 480)
    with urllib.request.urlopen(urls["640"], timeout=20) as answer:
        assert (answer.headers["X-Cache"], answer.headers["X-Cache-Tier"]) == ("HIT", "edge")
    until(lambda: varnish.counters(running_stack.data, Server.EDGE)[0] >= 1, "the edge counted no hit")
    assert bob.ask("PUT", f"/posts/{post}/like")[1] == {"liked": True, "like_count": 1}
    assert len(photo) > len(image.jpegsave_buffer())


def test_a_run_counts_look_ups_from_the_end_of_its_warm_up_on(
    running_stack: control.RunningStack, alice: Client, bob: Client
) -> None:
    post, _ = _post(alice, "counted")
    seen = until(lambda: _in_feed(bob, post), "the photo is not in the follower's feed")
    urls = [variant["url"] for variant in seen["media"][0]["variants"]]
    counters = JudgedCounters(running_stack)
    before = counters.begin
    assert _status(urls[0]) == _status(urls[0]) == 200  # in the warm-up: a miss and a hit
    until(lambda: _edge_since(before, running_stack) == (1, 1), "the edge did not count the warm-up")

    counters.begin_at(time.time())
    until(lambda: counters.begin is not before, "the counters were not read")
    assert _status(urls[0]) == _status(urls[1]) == 200
    assert _status(urls[0]) == 200
    until(lambda: _edge_since(counters.begin, running_stack) == (2, 1), "the edge did not count the judged time")
    counters.stop()


def test_counters_that_nobody_answers_are_those_of_before_the_traffic(running_stack: control.RunningStack) -> None:
    early = CounterReadings.read(running_stack)
    assert set(early.tiers) == {"edge", "shield"}
    assert set(early.pages) == {url for urls in running_stack.components.values() for url in urls}
    assert CounterReadings(pages={}, tiers={}).or_else(early) == early
    later = replace(early, pages={**early.pages, "http://127.0.0.1": "later"})
    assert later.or_else(early) == later


def _edge_since(before: CounterReadings, stack: control.RunningStack) -> tuple[int, int]:
    """Hits and misses of the edge."""
    rows = {name: counts for name, *counts in CounterReadings.read(stack).cache_rows_since(before)}
    return rows["edge"][0], rows["edge"][1]


def _status(url: str, method: str = "GET") -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_deleted_posts_photo_is_removed_from_every_address_and_no_client_can_purge(
    running_stack: control.RunningStack, alice: Client, bob: Client
) -> None:
    post, _ = _post(alice, "deleted")
    seen = until(lambda: _in_feed(bob, post), "the photo is not in the follower's feed")
    media = seen["media"][0]["id"]
    urls = [variant["url"] for variant in seen["media"][0]["variants"]]
    assert {_status(url) for url in urls} == {200}
    assert {_status(url, "PURGE") for url in urls} == {405}
    assert bob.ask("DELETE", f"/media/{media}")[0] == 403
    assert alice.ask("DELETE", f"/media/{media}")[0] == 409

    assert alice.ask("DELETE", f"/posts/{post}")[0] == 204
    until(lambda: {_status(url) for url in urls} == {404}, "the photo can still be fetched")
    assert alice.ask("GET", f"/media/{media}")[0] == 404
    shield = running_stack.stores(Component.MEDIA).cdn
    assert shield is not None
    assert {_status(shield.shield + "/media/" + url.partition("/media/")[2]) for url in urls} == {404}


def test_every_component_answers_health_and_metrics_past_the_gateway(running_stack: control.RunningStack) -> None:
    assert set(running_stack.components) == set(Component)
    for urls in running_stack.components.values():
        for path in ("/healthz", "/metrics"):
            with urllib.request.urlopen(urls[0] + path, timeout=10) as answer:
                assert answer.status == 200


def test_prometheus_reaches_everything_it_scrapes(running_stack: control.RunningStack) -> None:
    def targets() -> Any:
        with urllib.request.urlopen(f"{running_stack.prometheus_url}/api/v1/targets", timeout=10) as answer:
            return json.load(answer)["data"]["activeTargets"]

    others = ("prometheus", "gateway", "front", "supervisor", "toxiproxy")
    assert {each["labels"]["job"] for each in targets()} == {*others, "services"}
    assert len(targets()) == len(Component) + len(others)
    until(lambda: all(each["health"] == "up" for each in targets()), "a target is down")


def test_a_frozen_service_is_refused_by_the_gateway_long_before_a_client_gives_up_and_comes_back(
    running_stack: control.RunningStack, alice: Client
) -> None:
    frozen = running_stack.refresh().processes["feed"]
    os.kill(frozen, signal.SIGSTOP)
    # a time-out of 5 s would raise here
    until(lambda: alice.ask("GET", "/feed", None, wait=5.0)[0] == 503, "requests reach a frozen service")
    until(lambda: alice.ask("GET", "/feed")[0] == 200, "the feed does not answer again")
    row = next(each for each in running_stack.refresh().state.processes if each.name == "feed")
    assert row.pid != frozen
    assert "killed by the supervisor" in row.end


@pytest.mark.parametrize("victim", ["feed", "workers", "redis", "postgres_1"])
def test_a_process_that_is_killed_comes_back_and_posts_still_arrive(
    running_stack: control.RunningStack, alice: Client, bob: Client, victim: str
) -> None:
    before = running_stack.refresh().processes[victim]
    os.kill(before, signal.SIGKILL)

    def ready() -> bool:
        rows = running_stack.refresh().state.processes
        return any(row.name == victim and row.state == "ready" and row.pid not in (0, before) for row in rows)

    until(ready, f"{victim} did not come back")
    until(lambda: alice.ask("GET", "/feed")[0] == 200, "the feed does not answer")
    until(lambda: alice.ask("GET", f"/users/{bob.id}")[0] == 200, "people cannot be read")
    post, _ = _post(alice, f"after-{victim}")
    until(lambda: _in_feed(bob, post), "a new post is not in the follower's feed")
    told = [json.loads(line) for line in (running_stack.data / "journal.jsonl").read_text().splitlines()]
    assert ("died", victim) in [(event["event"], event.get("name")) for event in told]


def test_the_accounting_knows_every_process(running_stack: control.RunningStack) -> None:
    told = usage.usage(running_stack.refresh())
    assert {"feed", "api", "workers", "gateway", "kafka", "postgres_0", "redis"} <= set(told)
    rows = {row.name: row for row in control.status(running_stack.data)}
    assert rows["feed"].restarts >= 1
    assert all(row.rss_bytes > 0 and row.uptime_seconds > 0 for row in rows.values())
