"""With an Idempotency-Key a repeated request has the first one's answer, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
from aiohttp import web

from core import ids
from core.failures import Unavailable
from core.names import Component
from core.settings import Member, ProcessSettings
from services.kit import body, idempotency
from services.kit.answers import answer
from services.kit.app import application, register
from services.kit.config import SETTINGS, new_id
from services.kit.routing import route, viewer
from services.kit.stores import postgres
from services.kit.stores.postgres import SHARDS, schema
from tests.service.conftest import Running, System

TABLES = idempotency.TABLES + "CREATE TABLE IF NOT EXISTS {s}.kit_notes (id bigint PRIMARY KEY, text text NOT NULL);"
PATH = "/api/v1/posts/1/comments"


class Note(body.Body, frozen=True, kw_only=True):
    """A note to write."""

    text: str


async def create(request: web.Request) -> web.Response:
    """Write a note once."""
    given = await body.read(request, Note)
    shard = ids.shard_of(viewer(request))
    async with request.app[SHARDS].transaction(shard) as connection:
        replay = await idempotency.begin(request, connection, shard)
        if replay is not None:
            return replay
        note_id = new_id(request.app, shard)
        await connection.execute(
            f"INSERT INTO {schema(shard)}.kit_notes (id, text) VALUES (%s, %s)", (note_id, given.text)
        )
        if given.text.startswith("fails once") and not request.app[FAILED]:
            request.app[FAILED].append(True)
            raise Unavailable
        url = f"{request.app[SETTINGS].media_url}/media/a"
        said = {
            "id": str(note_id),
            "url": url,
            "text": f'"url":"{url}"',
        }  # an address within a text is the writer's own
        return await idempotency.finish(request, connection, shard, answer(said, status=201))


FAILED = web.AppKey("FAILED", list[bool])


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """An application that writes notes."""
    app = application(settings, member)
    postgres.use(app, tables=TABLES)
    app[FAILED] = []
    register(app, [route("comment.add", create, body=Note)])
    return app


@pytest.fixture(scope="module")
async def system(running: Running) -> AsyncIterator[System]:
    """Notes, running."""
    async with running(Component.ENGAGEMENT, build_by=build) as system:
        yield system


_users = iter(range(1000))


@pytest.fixture
def user() -> str:
    """A fresh user id on some shard."""
    number = next(_users)
    return str(ids.compose(created_ms=ids.EPOCH_MS + 7_000_000 + number, shard=number % 16, sequence=0))


async def notes(system: System, user: str, text: str) -> int:
    shard = ids.shard_of(int(user))
    async with system.apps["engagement"][SHARDS].connection(shard) as connection:
        cursor = await connection.execute(
            f"SELECT count(*) FROM {schema(shard)}.kit_notes WHERE text = %s", (f"{text} {user}",)
        )
        row = await cursor.fetchone()
        return int(row[0])


async def write(system: System, user: str, text: str, key: str | None) -> tuple[int, bytes, bool]:
    headers = {"Idempotency-Key": key} if key is not None else {}
    answered = await system.send(
        "engagement", "POST", PATH, user=user, json={"text": f"{text} {user}"}, headers=headers
    )
    return answered.status, answered.body, "Idempotency-Replayed" in answered.headers


async def test_a_repeat_gets_the_first_answer_and_writes_nothing(system: System, user: str) -> None:
    first = await write(system, user, "once", "key")
    second = await write(system, user, "once", "key")

    assert first[:2] == second[:2]
    assert (first[2], second[2]) == (False, True)
    assert await notes(system, user, "once") == 1


async def test_of_many_repeats_at_once_one_writes_and_all_get_its_answer(system: System, user: str) -> None:
    answers = await asyncio.gather(*(write(system, user, "crowd", "key") for _ in range(12)))

    assert {(status, said) for status, said, _ in answers} == {answers[0][:2]}
    assert [replayed for _, _, replayed in answers].count(False) == 1
    assert await notes(system, user, "crowd") == 1


async def test_the_same_key_with_another_body_is_refused(system: System, user: str) -> None:
    await write(system, user, "one", "key")

    assert (await write(system, user, "two", "key"))[0] == 422
    assert await notes(system, user, "two") == 0


async def test_a_repeat_does_not_wait_for_long_for_a_first_request_that_is_under_way(system: System, user: str) -> None:
    shard = ids.shard_of(int(user))
    async with system.apps["engagement"][SHARDS].transaction(shard) as connection:
        await connection.execute(
            f"INSERT INTO {schema(shard)}.idempotency (user_id, operation, key, fingerprint)"
            " VALUES (%s, 'comment.add', 'key', '')",
            (int(user),),
        )
        answered = await system.send(
            "engagement", "POST", PATH, user=user, json={"text": "a"}, headers={"Idempotency-Key": "key"}
        )
        await connection.execute(f"DELETE FROM {schema(shard)}.idempotency WHERE user_id = %s", (int(user),))

    assert (answered.status, answered.json["code"], answered.headers["Retry-After"]) == (409, "conflict", "1")
    assert (await write(system, user, "afterwards", "key"))[0] == 201


async def test_a_kept_answer_shows_photos_where_they_are_served_now(system: System, user: str) -> None:
    settings = system.settings
    elsewhere = msgspec.structs.replace(settings, media_url="http://elsewhere:1")
    member = settings.members[0]

    async def asked(told: ProcessSettings) -> bytes:
        runner = web.AppRunner(build(told, member), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            there = replace(system, urls={**system.urls, "engagement": f"http://127.0.0.1:{port}"})
            answered = await there.send(
                "engagement", "POST", PATH, user=user, json={"text": "shows"}, headers={"Idempotency-Key": "photo"}
            )
            assert answered.status == 201
            return answered.body
        finally:
            await runner.cleanup()

    first = await asked(settings)
    second = await asked(elsewhere)
    assert f'"url":"{settings.media_url}/media/a"'.encode() in first
    assert second == first.replace(settings.media_url.encode(), b"http://elsewhere:1", 1)


async def test_a_failure_keeps_no_answer_and_the_repeat_writes(system: System, user: str) -> None:
    system.apps["engagement"][FAILED].clear()

    assert (await write(system, user, "fails once", "key"))[0] == 503
    assert await notes(system, user, "fails once") == 0
    assert (await write(system, user, "fails once", "key"))[0] == 201
    assert await notes(system, user, "fails once") == 1


async def test_keys_of_two_users_do_not_meet_and_no_key_means_no_memory(system: System) -> None:
    users = [str(ids.compose(created_ms=ids.EPOCH_MS + 9_000_000 + each, shard=5, sequence=0)) for each in range(2)]
    assert len({(await write(system, user, "same", "key"))[1] for user in users}) == 2

    for _ in range(2):
        assert (await write(system, users[0], "twice", None))[0] == 201
    assert await notes(system, users[0], "twice") == 2


async def test_a_day_later_the_key_is_free_again(system: System, user: str) -> None:
    first = await write(system, user, "daily", "key")
    shard = ids.shard_of(int(user))
    async with system.apps["engagement"][SHARDS].connection(shard) as connection:
        await connection.execute(
            f"UPDATE {schema(shard)}.idempotency SET created_at = now() - interval '25 hours' WHERE user_id = %s",
            (int(user),),
        )

    second = await write(system, user, "daily", "key")

    assert (second[0], second[2]) == (201, False)
    assert first[1] != second[1]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
async def test_a_key_that_is_none_is_named(system: System, user: str, key: str) -> None:
    answered = await system.send(
        "engagement", "POST", PATH, user=user, json={"text": "a"}, headers={"Idempotency-Key": key}
    )

    assert (answered.status, answered.json["errors"][0]["field"]) == (400, "Idempotency-Key")
