"""On the whole real stack: faults of the scenario act and end, and a like deleted in the store is reported as lost."""

from __future__ import annotations

import io
import json
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
import pyvips
import redis

from chaos import control, journal, ledger
from core.names import Key
from core.operations import API
from core.scenario.faults import Kill, Latency
from records import scenarios
from stack.control import RunningStack

pytestmark = pytest.mark.alone


async def test_the_fault_of_the_scenario_acts_on_the_stacks_own_proxy(running_stack: RunningStack) -> None:
    read = scenarios.read(Path(running_stack.state.scenario_path))
    drill = replace(
        read,
        faults=(Latency(at_seconds=1.0, for_seconds=1.0, link="feed_redis", latency_seconds=0.3, jitter_seconds=0.1),),
    )
    with control.start(drill, t0_unix=time.time() + 4.0, stack_data=running_stack.data) as warden:
        assert warden.wait(30)
        events = warden.stop()
    assert journal.void_reasons(drill, events) == ()


async def test_a_killed_service_stays_dead_for_the_fault_and_comes_back(running_stack: RunningStack) -> None:

    read = scenarios.read(Path(running_stack.state.scenario_path))
    drill = replace(read, faults=(Kill(at_seconds=1.0, for_seconds=2.0, process="feed"),))
    old = running_stack.refresh().processes["feed"]
    with control.start(drill, t0_unix=time.time() + 4.0, stack_data=running_stack.data) as warden:
        assert warden.wait(30)
        events = warden.stop()
    assert journal.void_reasons(drill, events) == ()
    (begins, ends) = journal.acted_windows(drill, events)[0]
    assert ends - begins > 1.5
    deadline = time.monotonic() + 20
    async with aiohttp.ClientSession() as client:
        while time.monotonic() < deadline:
            try:
                async with client.get(f"{running_stack.components['feed'][0]}/healthz") as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                continue
    assert running_stack.refresh().processes["feed"] != old


async def test_an_acknowledged_like_is_found_and_a_forgotten_one_is_lost(
    running_stack: RunningStack, tmp_path: Path
) -> None:
    async with aiohttp.ClientSession(base_url=running_stack.gateway_url) as client:
        author, reader = await sign_up(client), await sign_up(client)
        post, media = await create_post(client, author["access_token"])
        answer = await call(client, "PUT", f"/posts/{post}/like", reader["access_token"])
        assert answer["liked"] is True
    people = [author, reader]
    (tmp_path / "people.jsonl").write_text(
        "".join(
            json.dumps({"person": n, "user_id": each["user"]["id"], "token": each["access_token"]}) + "\n"
            for n, each in enumerate(people)
        ),
        encoding="utf-8",
    )
    told = [
        {"operation": "media.complete", "person": 0, "user_id": author["user"]["id"], "media_id": media},
        {"operation": "post.create", "person": 0, "user_id": author["user"]["id"], "post_id": post},
        {"operation": "like.add", "person": 1, "user_id": reader["user"]["id"], "post_id": post},
    ]
    path = tmp_path / "acknowledged.jsonl"
    path.write_text("".join(json.dumps({**line, "at_seconds": 1.0}) + "\n" for line in told), encoding="utf-8")
    counts = await ledger.check(path, running_stack.gateway_url, tmp_path)
    for line in told:
        assert counts[f"{line['operation']}.found"] == 1, counts
        assert counts[f"{line['operation']}.lost"] == 0, counts

    forget_like(running_stack, user=reader["user"]["id"], post=post)
    counts = await ledger.check(path, running_stack.gateway_url, tmp_path, settle_seconds=0.5)
    assert (counts["like.add.lost"], counts["post.create.lost"]) == (1, 0)


async def call(client: aiohttp.ClientSession, method: str, path: str, token: str = "", **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if method == "POST":
        headers["Idempotency-Key"] = secrets.token_hex(8)
    async with client.request(method, API + path, json=body or None, headers=headers) as answer:
        text = await answer.text()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
        return json.loads(text)


async def sign_up(client: aiohttp.ClientSession) -> Any:
    name = f"drill_{secrets.token_hex(5)}"
    return await call(client, "POST", "/auth/signup", username=name, password="a long enough password")


async def create_post(client: aiohttp.ClientSession, token: str) -> tuple[str, str]:
    """A photo uploaded through the presigned URL, and a post of it."""
    photo = bytes(pyvips.Image.gaussnoise(320, 240, mean=128, sigma=30).cast("uchar").jpegsave_buffer())
    made = await call(client, "POST", "/media", token, content_type="image/jpeg", size_bytes=len(photo))
    upload = made["upload"]
    async with (
        aiohttp.ClientSession() as direct,
        direct.put(
            upload["url"], data=io.BytesIO(photo), headers={**upload["headers"], "Content-Length": str(len(photo))}
        ) as answer,
    ):
        assert answer.status == 200, await answer.text()
    media = made["media"]["id"]
    await call(client, "POST", f"/media/{media}/complete", token)
    post = await call(client, "POST", "/posts", token, media_ids=[media], caption="For the ledger")
    return post["post"]["id"], media


def forget_like(stack: RunningStack, *, user: str, post: str) -> None:
    """Delete the like's row from its shard, as if the store had lost a durable write."""
    gone = 0
    for dsn in stack.postgres:
        with psycopg.connect(dsn, autocommit=True) as connection:
            schemas = connection.execute(
                "SELECT table_schema FROM information_schema.tables WHERE table_name = 'likes'"
            ).fetchall()
            for (schema,) in schemas:
                query = f'DELETE FROM "{schema}".likes WHERE user_id = %s AND post_id = %s'
                gone += connection.execute(query, (int(user), int(post))).rowcount
    assert gone >= 1
    host, port = stack.redis
    cache = redis.Redis(host=host, port=port)
    cache.delete(Key.LIKED.format(user=user), Key.LIKES.format(post=post))
    cache.close()
