"""Uploads through real HTTP, a real object store and a real database."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from core import ids
from core.names import Component
from services.kit.clock import now_ms
from services.kit.outbox import OUTBOX
from services.kit.stores.objects import OBJECTS
from services.kit.stores.postgres import SHARDS, schema
from services.upload.events import SWEEPER, Sweeper
from services.upload.routes import PHOTOS
from tests.service.conftest import Someone, System
from tests.service.media.photos import announce, jpeg, put
from tests.service.waiting import until

COMPONENTS = (Component.AUTH, Component.POSTS, Component.MEDIA, Component.UPLOAD)


async def test_a_photo_is_announced_put_and_completed(system: System, ann: Someone) -> None:
    data = jpeg()
    told = await announce(system, ann, data)
    assert told["media"]["state"] == "registered"
    assert told["upload"]["method"] == "PUT"
    assert ids.shard_of(int(told["media"]["id"])) == ids.shard_of(int(ann.id))

    assert await put(system, told["upload"], data) == 200
    answer = await system.call("media.complete", user=ann, media_id=told["media"]["id"])

    assert answer.status == 202
    assert answer.json["media"]["state"] == "processing"


async def test_the_address_accepts_only_the_announced_length_and_type(system: System, ann: Someone) -> None:
    told = await announce(system, ann, b"x" * 1000)
    upload = told["upload"]

    longer = {**upload, "headers": {**upload["headers"], "Content-Length": "1001"}}
    other = {**upload, "headers": {**upload["headers"], "Content-Type": "text/html"}}

    assert await put(system, longer, b"x" * 1001) == 403
    assert await put(system, other, b"x" * 1000) == 403


async def test_an_address_accepts_one_photo_only(system: System, ann: Someone) -> None:
    first, second = jpeg(210, 100), jpeg(211, 100)
    second += b"\0" * (len(first) - len(second))
    told = await announce(system, ann, first)
    media_id, key = told["media"]["id"], f"uploads/{told['media']['id']}"
    objects = system.apps["upload"][OBJECTS]
    without = {name: value for name, value in told["upload"]["headers"].items() if name.lower() != "if-none-match"}

    assert await put(system, {**told["upload"], "headers": without}, first) == 403
    assert await put(system, told["upload"], first) == 200
    assert await put(system, told["upload"], second[: len(first)]) == 412
    assert await objects.get(bucket="uploads", key=key, bytes_max=1 << 20) == first
    await system.call("media.complete", user=ann, media_id=media_id)
    await system.drain()  # processed: the upload is removed, and the address cannot be used again
    assert await put(system, told["upload"], first) == 412
    assert (await objects.head(bucket="uploads", key=key)).size_bytes == 0


async def test_the_upload_area_is_swept_of_everything_but_what_waits(system: System, ann: Someone) -> None:
    objects, sweeper = system.apps["upload"][OBJECTS], system.apps["upload"][SWEEPER]
    processed, waiting = await announce(system, ann, jpeg(212, 100)), await announce(system, ann, jpeg(213, 100))
    keys = [f"uploads/{told['media']['id']}" for told in (processed, waiting)]
    await put(system, processed["upload"], jpeg(212, 100))
    await put(system, waiting["upload"], jpeg(213, 100))
    await system.call("media.complete", user=ann, media_id=processed["media"]["id"])
    await system.drain()
    nobodys = f"uploads/{int(processed['media']['id']) - 1024}"
    for key in (keys[0], nobodys):  # as by a PUT that ended late
        await objects.put(bucket="uploads", key=key, body=b"late", content_type="image/jpeg")

    async def there() -> list[bool]:
        listed = await objects.keys(bucket="uploads", prefix="uploads/")
        return [key in listed for key in (*keys, nobodys)]

    await sweeper.sweep_left()
    assert await there() == [True, True, True]  # their addresses have not expired
    assert await sweeper.sweep_left(at_ms=now_ms() + 3_600_000) >= 2
    assert await there() == [False, True, False]


async def test_completing_before_the_upload_is_a_conflict(system: System, ann: Someone) -> None:
    told = await announce(system, ann, jpeg())
    answer = await system.call("media.complete", user=ann, media_id=told["media"]["id"])
    assert answer.status == 409
    assert answer.json["code"] == "conflict"


async def test_completing_twice_is_one_completion_and_one_event(system: System, ann: Someone) -> None:
    data = jpeg()
    told = await announce(system, ann, data)
    await put(system, told["upload"], data)
    media_id = told["media"]["id"]

    first = await system.call("media.complete", user=ann, media_id=media_id)
    await system.drain()
    second = await system.call("media.complete", user=ann, media_id=media_id)

    assert (first.status, second.status) == (202, 202)
    assert second.json["media"]["state"] == "succeeded"
    assert await system.apps["upload"][OUTBOX].pending() == 0


async def test_a_checksum_is_held_to_what_was_put(system: System, ann: Someone) -> None:
    data = jpeg(200, 100)
    told = await announce(system, ann, data)
    await put(system, told["upload"], data)
    media_id = told["media"]["id"]

    wrong = await system.call("media.complete", user=ann, media_id=media_id, json={"checksum_sha256": "0" * 64})
    assert wrong.status == 400
    assert [error["field"] for error in wrong.json["errors"]] == ["checksum_sha256"]

    checksum = hashlib.sha256(data).hexdigest()
    right = await system.call("media.complete", user=ann, media_id=media_id, json={"checksum_sha256": checksum})
    assert right.status == 202


@pytest.mark.parametrize("end", ["\n", "\r", " ", "0"])
async def test_a_checksum_has_64_digits_and_nothing_behind_them(system: System, ann: Someone, end: str) -> None:
    said = {"content_type": "image/jpeg", "size_bytes": 5, "checksum_sha256": "a" * 64 + end}
    answer = await system.call("media.create", user=ann, json=said)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "checksum_sha256")


async def test_an_announced_checksum_cannot_be_replaced_at_completion(system: System, ann: Someone) -> None:
    data = jpeg(201, 100)
    announced = {"content_type": "image/jpeg", "size_bytes": len(data), "checksum_sha256": "1" * 64}
    told = (await system.call("media.create", user=ann, json=announced)).json
    await put(system, told["upload"], data)
    checksum = hashlib.sha256(data).hexdigest()
    for body in ({"checksum_sha256": checksum}, None):
        answer = await system.call("media.complete", user=ann, media_id=told["media"]["id"], json=body)
        assert answer.status == 400
        assert answer.json["errors"][0]["field"] == "checksum_sha256"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content_type": "image/jpeg"}, "size_bytes"),
        ({"content_type": "image/jpeg", "size_bytes": 0}, "size_bytes"),
        ({"content_type": "image/jpeg", "size_bytes": 20_000_001}, "size_bytes"),
        ({"content_type": "image/jpeg", "size_bytes": 10**30}, "size_bytes"),
        ({"content_type": "image/jpeg", "size_bytes": "10"}, "size_bytes"),
        ({"content_type": "video/mp4", "size_bytes": 10}, "content_type"),
        ({"content_type": 7, "size_bytes": 10}, "content_type"),
        ({"content_type": "image/jpeg", "size_bytes": 10, "checksum_sha256": "abc"}, "checksum_sha256"),
        ({"content_type": "image/jpeg", "size_bytes": 10, "sizebytes": 10}, "sizebytes"),
        (["no", "object"], "body"),
    ],
)
async def test_a_wrong_announcement_names_its_field(system: System, ann: Someone, body: object, field: str) -> None:
    answer = await system.call("media.create", user=ann, json=body)
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_an_idempotency_key_gives_the_first_answer_again(system: System, ann: Someone) -> None:
    headers = {"Idempotency-Key": "photo-1"}
    body = {"content_type": "image/jpeg", "size_bytes": 10}
    first = await system.call("media.create", user=ann, json=body, headers=headers)
    again = await system.call("media.create", user=ann, json=body, headers=headers)
    other = await system.call("media.create", user=ann, json={**body, "size_bytes": 11}, headers=headers)
    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert again.json["media"] == first.json["media"]


async def test_a_repeat_gets_an_address_that_is_good_from_now_on(system: System) -> None:
    who = await system.person()
    data = jpeg(64, 48)
    body = {"content_type": "image/jpeg", "size_bytes": len(data)}
    headers = {"Idempotency-Key": "photo-1"}
    first = (await system.call("media.create", user=who, json=body, headers=headers)).json

    async def repeated() -> Any:
        answer = await system.call("media.create", user=who, json=body, headers=headers)
        assert (answer.status, answer.headers["Idempotency-Replayed"]) == (201, "true")
        return answer.json

    async def later() -> bool:  # addresses are signed to the second
        return bool((await repeated())["upload"]["url"] != first["upload"]["url"])

    await until(later)
    again = await repeated()
    assert again["media"] == first["media"]
    assert again["upload"]["expires_at"] > first["upload"]["expires_at"]
    await put(system, again["upload"], data)
    media_id = first["media"]["id"]
    assert (await system.call("media.complete", user=who, media_id=media_id)).status == 202
    completed = await repeated()
    assert (completed["media"]["id"], completed["upload"]) == (media_id, None)
    assert completed["media"]["state"] in ("processing", "succeeded")


async def test_a_repeat_of_an_upload_that_was_swept_registers_another(system: System) -> None:
    who = await system.person()
    body = {"content_type": "image/jpeg", "size_bytes": 10}
    headers = {"Idempotency-Key": "swept"}

    async def create() -> str:
        answer = await system.call("media.create", user=who, json=body, headers=headers)
        return str(answer.json["media"]["id"])

    first = await create()
    shard = ids.shard_of(int(first))
    async with system.apps["upload"][SHARDS].connection(shard) as connection:
        await connection.execute(f"DELETE FROM {schema(shard)}.media WHERE id = %s", (int(first),))
    second = await create()
    assert second != first
    assert await create() == second


async def test_a_photo_is_its_owners_alone_until_it_is_posted(system: System, ann: Someone, ben: Someone) -> None:
    data = jpeg(202, 100)
    told = await announce(system, ann, data)
    media_id = told["media"]["id"]
    await put(system, told["upload"], data)
    assert (await system.call("media.complete", user=ben, media_id=media_id)).status == 404
    await system.call("media.complete", user=ann, media_id=media_id)
    await system.drain()

    assert (await system.call("media.read", user=ben, media_id=media_id)).status == 404
    assert (await system.call("media.read", user=ann, media_id=media_id)).json["media"]["state"] == "succeeded"

    posted = await system.call("post.create", user=ann, json={"media_ids": [media_id]})
    assert posted.status == 201
    found = await system.call("media.read", user=ben, media_id=media_id)
    assert found.status == 200
    for operation in ("media.complete", "media.delete"):  # a person who may see it learns that it is another's
        assert (await system.call(operation, user=ben, media_id=media_id)).status == 403
    assert [each["name"] for each in found.json["media"]["variants"]] == ["original", "1080", "640", "webp_640", "150"]


async def test_the_address_of_a_deleted_photo_accepts_nothing(system: System, ann: Someone) -> None:
    data = jpeg(210, 100)
    told = await announce(system, ann, data)
    assert (await system.call("media.delete", user=ann, media_id=told["media"]["id"])).status == 204
    assert await put(system, told["upload"], data) == 412


async def test_nobody_signed_in_is_refused_and_unknown_media_is_not_found(system: System, ann: Someone) -> None:
    assert (await system.call("media.create", json={})).status == 401
    assert (
        await system.call(
            "media.read", user=ann, media_id=ids.compose(created_ms=ids.EPOCH_MS + 1, shard=3, sequence=0)
        )
    ).status == 404
    assert (await system.call("media.read", user=ann, media_id="abc")).status == 400


async def test_an_upload_that_is_never_completed_is_swept_and_a_completed_one_stays(
    system: System, ann: Someone
) -> None:
    app = system.apps["upload"]
    data = jpeg(203, 100)
    abandoned, completed = await announce(system, ann, data), await announce(system, ann, data)
    for told in (abandoned, completed):
        assert await put(system, told["upload"], data) == 200
    await system.call("media.complete", user=ann, media_id=completed["media"]["id"])

    await app[SWEEPER].sweep()  # the hour is not over
    assert (await system.call("media.read", user=ann, media_id=abandoned["media"]["id"])).status == 200

    assert await Sweeper(app[PHOTOS], app[OBJECTS], abandoned_seconds=-1.0).sweep() >= 1

    assert (await system.call("media.read", user=ann, media_id=abandoned["media"]["id"])).status == 404
    assert (await system.call("media.complete", user=ann, media_id=abandoned["media"]["id"])).status == 404
    assert (await system.call("media.read", user=ann, media_id=completed["media"]["id"])).status == 200
    shard = ids.shard_of(int(ann.id))
    async with app[SHARDS].connection(shard) as connection:
        cursor = await connection.execute(
            f"SELECT count(*) FROM {schema(shard)}.media WHERE state = 'registered' AND owner_id = %s", (int(ann.id),)
        )
        assert await cursor.fetchone() == (0,)
