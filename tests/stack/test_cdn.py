"""Two cache tiers in front of the object store: what is cached, what each tier counts, and purging."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

from core import scenario
from core.names import Component, Server
from core.scenario.faults import Down
from records import scenarios
from stack import control
from stack.backing import varnish
from tests.conftest import SCENARIO, Servers
from tests.waiting import until

_IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def cdn(data_folder: Path) -> Iterator[Servers]:
    """Object store and both tiers, with a link between shield and store that can be cut."""
    path = data_folder / "cdn.yaml"
    read = scenarios.read(SCENARIO)
    faults = (Down(at_seconds=1, for_seconds=1, link="shield_objects"),)
    path.write_text(scenario.explain(replace(read, faults=faults)), encoding="utf-8")
    wanted = (Server.OBJECTS, Server.SHIELD, Server.EDGE, Server.TOXIPROXY)
    running = control.up(path, data_folder / "cdn", attached=True, services=False, servers=wanted)
    yield Servers(running=running, scenario=scenarios.read(path), scenario_path=path)
    running.stop(wipe=True)


@pytest.fixture(scope="module")
def store(cdn: Servers) -> Any:
    told = cdn.stores(Component.MEDIA).objects
    assert told is not None
    return boto3.client(
        "s3",
        endpoint_url=told.endpoint,
        aws_access_key_id=told.access_key,
        aws_secret_access_key=told.secret_key,
        region_name=told.region,
        config=botocore.config.Config(signature_version="s3v4"),
    )


def _put(store: Any, key: str, body: bytes) -> None:
    store.put_object(Bucket="media", Key=key, Body=body, CacheControl=_IMMUTABLE, ContentType="image/jpeg")


def _ask(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Message]:
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_a_photo_comes_from_the_store_once_and_from_the_edge_from_then_on(cdn: Servers, store: Any) -> None:
    _put(store, "ab/640.jpg", b"photo")
    url = f"{cdn.running.media_url}/media/ab/640.jpg"
    edge, shield = (varnish.counters(cdn.running.data, tier) for tier in (Server.EDGE, Server.SHIELD))
    seen = [_ask(url), _ask(url), _ask(url + "?utm=1", Cookie="session=1")]
    assert [(status, body) for status, body, _ in seen] == [(200, b"photo")] * 3
    assert [(headers["X-Cache"], headers["X-Cache-Tier"]) for _, _, headers in seen] == [
        ("MISS", "origin"),
        ("HIT", "edge"),
        ("HIT", "edge"),
    ]
    assert seen[1][2]["Cache-Control"] == _IMMUTABLE
    assert seen[1][2]["Content-Type"] == "image/jpeg"
    expected = [(edge[0] + 2, edge[1] + 1), (shield[0], shield[1] + 1)]
    # a worker counts after it has answered
    until(lambda: [varnish.counters(cdn.running.data, tier) for tier in (Server.EDGE, Server.SHIELD)] == expected)


def test_what_the_edge_lost_the_shield_still_has(cdn: Servers, store: Any) -> None:
    _put(store, "cd/640.jpg", b"photo")
    url = f"{cdn.running.media_url}/media/cd/640.jpg"
    _ask(url)
    assert _ask(url, "PURGE", **_purge_key(cdn))[0] == 200
    _, _, headers = _ask(url)
    assert (headers["X-Cache"], headers["X-Cache-Tier"]) == ("MISS", "shield")


def _purge_key(cdn: Servers) -> dict[str, str]:
    told = cdn.stores(Component.MEDIA).cdn
    assert told is not None
    return {"X-Purge-Key": told.purge_key}


def test_nobody_but_the_stack_can_purge(cdn: Servers, store: Any) -> None:
    _put(store, "kl/640.jpg", b"photo")
    url = f"{cdn.running.media_url}/media/kl/640.jpg"
    _ask(url)
    for key in ({}, {"X-Purge-Key": ""}, {"X-Purge-Key": "guess"}):
        status, _, headers = _ask(url, "PURGE", **key)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert _ask(url)[2]["X-Cache"] == "HIT"


def test_a_cut_link_to_the_store_does_not_hurt_what_is_cached(cdn: Servers, store: Any) -> None:
    _put(store, "ef/640.jpg", b"photo")
    url = f"{cdn.running.media_url}/media/ef/640.jpg"
    assert _ask(url)[0] == 200
    with cdn.broken("shield_objects"):
        assert _ask(url)[:2] == (200, b"photo")
        status, body, headers = _ask(f"{cdn.running.media_url}/media/ef/other.jpg")
        assert (status, headers.get_content_type()) == (503, "application/problem+json")
        assert b'"code":"unavailable"' in body
    until(lambda: _ask(f"{cdn.running.media_url}/media/ef/other.jpg")[0] == 404)


def test_a_missing_object_is_fetched_again_soon(cdn: Servers, store: Any) -> None:
    url = f"{cdn.running.media_url}/media/gh/640.jpg"
    until(lambda: _ask(url)[0] == 404)
    _put(store, "gh/640.jpg", b"late")
    until(lambda: _ask(url)[:2] == (200, b"late"))


def test_only_media_is_served_and_only_read(cdn: Servers, store: Any) -> None:
    store.put_object(Bucket="uploads", Key="private.jpg", Body=b"x")
    base = cdn.running.media_url
    assert _ask(f"{base}/uploads/private.jpg")[0] == 404
    assert _ask(f"{base}/media/../uploads/private.jpg")[0] == 404
    assert _ask(f"{base}/media/%2e%2e/uploads/private.jpg")[0] == 404
    assert _ask(f"{base}/media")[0] == 404
    status, _, headers = _ask(f"{base}/media/ab/640.jpg", "DELETE")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert _ask(f"{base}/media/ab/640.jpg", "HEAD")[1] == b""


def test_a_range_of_a_photo_can_be_requested(cdn: Servers, store: Any) -> None:
    _put(store, "ij/640.jpg", b"0123456789")
    status, body, _ = _ask(f"{cdn.running.media_url}/media/ij/640.jpg", Range="bytes=2-4")
    assert (status, body) == (206, b"234")


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/media/none/such.jpg", "GET", 404, "not_found"),  # the store's own answer is XML
        ("/uploads/private.jpg", "GET", 404, "not_found"),
        ("/", "GET", 404, "not_found"),
        ("/media/ab/640.jpg", "POST", 405, "method_not_allowed"),
        ("/media/none/such.jpg", "HEAD", 404, ""),
    ],
)
def test_what_is_not_served_is_a_problem_document(cdn: Servers, path: str, method: str, status: int, code: str) -> None:
    for _ in range(2):  # from the store and, for a second, from the cache
        seen, body, headers = _ask(cdn.running.media_url + path, method)
        assert (seen, headers.get_content_type()) == (status, "application/problem+json")
        assert headers["Cache-Control"] == "no-store"
        if code:
            said = json.loads(body)
            assert (said["status"], said["code"]) == (status, code)
            assert said["type"] == f"{cdn.running.gateway_url}/api/v1/docs/errors#{code}"
            assert said["trace_id"]
