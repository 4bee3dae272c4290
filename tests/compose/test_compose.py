"""`docker-compose.yml` for real: a photo goes from its author through every container into a follower's feed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
import pyvips

from core.names import Server
from records.scenarios import read
from stack import compose, container
from stack.keys import Secrets
from tests.client import Client
from tests.compose.conftest import Containers
from tests.compose.engine import ROOT
from tests.waiting import until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def alice(containers: Containers) -> Client:
    return Client(containers.url(Server.GATEWAY), "alice")


@pytest.fixture(scope="module")
def bob(containers: Containers, alice: Client) -> Client:
    made = Client(containers.url(Server.GATEWAY), "bob")
    assert made.ask("PUT", f"/users/{alice.id}/follow")[0] == 200
    return made


def test_every_process_of_the_plan_is_a_healthy_container_of_the_same_name(containers: Containers) -> None:
    nothing = Secrets(**dict.fromkeys(Secrets.__struct_fields__, ""))
    scenario = read(ROOT / compose.SCENARIO)
    planned = container.container_plan(scenario, compose.SCENARIO, nothing, {})
    assert _states(containers) == {process.name: "healthy" for process in planned.processes}


def test_a_photo_uploaded_by_its_presigned_url_is_in_a_followers_feed_and_at_the_edge(
    containers: Containers, alice: Client, bob: Client
) -> None:
    post = _post(alice, containers, "first")
    seen = until(lambda: _in_feed(bob, post), "the photo is not in the follower's feed")

    urls = {variant["name"]: variant["url"] for variant in seen["media"][0]["variants"]}
    assert all(url.startswith(f"{containers.url(Server.EDGE)}/media/") for url in urls.values())
    with urllib.request.urlopen(urls["640"], timeout=20) as answer:
        image = pyvips.Image.new_from_buffer(answer.read(), "")
    assert (image.width, image.height) == (640, 480)
    with urllib.request.urlopen(urls["640"], timeout=20) as answer:
        assert (answer.headers["X-Cache"], answer.headers["X-Cache-Tier"]) == ("HIT", "edge")
    assert bob.ask("PUT", f"/posts/{post}/like")[1] == {"liked": True, "like_count": 1}


def test_a_server_that_is_killed_in_its_container_comes_back_and_posts_still_arrive(
    containers: Containers, alice: Client, bob: Client
) -> None:
    before = _started_at(containers, Server.REDIS)
    # the container ends with its process, so the exit code of this command means nothing
    containers.compose("exec", "-T", str(Server.REDIS), "sh", "-c", "kill -9 $(pidof redis-server) || true")
    until(
        lambda: _started_at(containers, Server.REDIS) != before,
        "the container was not started again",
    )
    until(
        lambda: _states(containers).get(Server.REDIS) == "healthy",
        "Redis is not healthy again",
    )
    post = _post(alice, containers, "second")
    until(lambda: _in_feed(bob, post), "a new post is not in the follower's feed")


def _states(containers: Containers) -> dict[str, str]:
    rows = [json.loads(line) for line in containers.compose("ps", "--format", "json").splitlines()]
    return {row["Service"]: row["Health"] for row in rows}


def _started_at(containers: Containers, name: str) -> str:
    found = containers.compose("ps", "--all", "--quiet", name).strip()
    return containers.engine.run("docker", "inspect", "-f", "{{.State.StartedAt}}", found, seconds_max=30.0)


def _post(author: Client, containers: Containers, key: str) -> str:
    photo: bytes = pyvips.Image.gaussnoise(1600, 1200).cast("uchar").jpegsave_buffer()
    asked: dict[str, Any] = {"content_type": "image/jpeg", "size_bytes": len(photo)}
    made = _created(author, "/media", asked, f"{key}-media")
    upload = made["upload"]
    assert upload["url"].startswith(containers.url(Server.OBJECTS))
    put = urllib.request.Request(upload["url"], method=upload["method"], data=photo, headers=upload["headers"])
    with urllib.request.urlopen(put, timeout=20) as answer:
        assert answer.status == 200
    media = made["media"]["id"]
    until(
        lambda: author.ask("POST", f"/media/{media}/complete", {})[0] == 202,
        "the upload cannot be completed",
    )
    asked = {"media_ids": [media], "caption": "from a container"}
    return str(_created(author, "/posts", asked, f"{key}-post")["post"]["id"])


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
