"""The media worker: real object store, real scanner, real decoder processes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pyvips

from core.messages import MediaUploaded
from core.names import Component
from services.kit import outbox
from services.kit.stores.objects import OBJECTS
from services.media.events.pool import WorkerLost, WorkerPool, WorkerSlow
from services.media.events.scheduler import SCHEDULER
from services.media.rules.checks import Checked, checked
from services.media.rules.render import damaged
from tests.service.conftest import Someone, System
from tests.service.media.photos import EICAR, announce, flat_jpeg, jpeg, picture, put, uploaded, with_exif

COMPONENTS = (Component.AUTH, Component.POSTS, Component.MEDIA, Component.UPLOAD)


async def all_processed(
    system: System, user: Someone, photos: list[bytes], *, content_type: str = "image/jpeg"
) -> list[Any]:
    """Upload, wait, and read the media."""
    media_ids = [await uploaded(system, user, data, content_type=content_type) for data in photos]
    await system.drain()
    answers = [await system.call("media.read", user=user, media_id=media_id) for media_id in media_ids]
    assert [answer.status for answer in answers] == [200] * len(photos)
    return [answer.json["media"] for answer in answers]


async def processed(system: System, user: Someone, data: bytes) -> Any:
    """`all_processed` of one."""
    return (await all_processed(system, user, [data]))[0]


async def stored(system: System, variant: Any) -> bytes:
    """Bytes of a variant, by the key in its address."""
    key = variant["url"].partition("/media/")[2]
    return await system.apps["media"][OBJECTS].get(bucket="media", key=key, bytes_max=1 << 24)


async def test_a_photo_is_rendered_in_every_size_with_immutable_addresses(system: System, ann: Someone) -> None:
    media = await processed(system, ann, jpeg(1600, 1200))

    assert media["state"] == "succeeded"
    assert media["failure"] is None
    sizes = {each["name"]: (each["width"], each["height"], each["content_type"]) for each in media["variants"]}
    assert sizes == {
        "original": (1600, 1200, "image/jpeg"),
        "1080": (1080, 810, "image/jpeg"),
        "640": (640, 480, "image/jpeg"),
        "webp_640": (640, 480, "image/webp"),
        "150": (150, 113, "image/jpeg"),
    }
    for variant in media["variants"]:
        data = await stored(system, variant)
        assert len(data) == variant["size_bytes"]
        image = pyvips.Image.new_from_buffer(data, "", fail_on="warning")
        assert (image.width, image.height, image.interpretation) == (variant["width"], variant["height"], "srgb")
        assert image.avg() > 0
    objects = system.apps["media"][OBJECTS]
    key = media["variants"][1]["url"].partition("/media/")[2]
    head = await asyncio.to_thread(objects._client.head_object, Bucket="media", Key=key)
    assert head["CacheControl"] == "public, max-age=31536000, immutable"
    assert head["ContentType"] == "image/jpeg"


async def test_nothing_of_exif_gps_or_comments_is_left_in_any_byte(system: System, ann: Someone) -> None:
    data = with_exif(jpeg(640, 480))
    found = pyvips.Image.jpegload_buffer(data)
    assert found.get("exif-ifd3-GPSLatitude")  # the test photo has a position
    for secret in (b"SecretPhone", b"SECRET-CAMERA-OWNER", b"Exif"):
        assert secret in data

    media = await processed(system, ann, data)

    assert len(media["variants"]) == 5
    for variant in media["variants"]:
        served = await stored(system, variant)
        for secret in (b"SecretPhone", b"SECRET-CAMERA-OWNER", b"Exif", b"EXIF", b"GPS", b"XMP", b"ICCP"):
            assert secret not in served, (variant["name"], secret)
        fields = pyvips.Image.new_from_buffer(served, "").get_fields()
        assert not [field for field in fields if field.startswith(("exif", "xmp", "iptc"))]


async def test_nothing_of_the_upload_itself_is_kept_once_it_is_processed(system: System, ann: Someone) -> None:
    media_id = await uploaded(system, ann, with_exif(jpeg(64, 64)))
    await system.drain()
    head = await system.apps["media"][OBJECTS].head(bucket="uploads", key=f"uploads/{media_id}")
    assert head.size_bytes == 0


async def test_no_address_of_a_photo_can_be_computed_from_it(system: System, ann: Someone) -> None:
    data = jpeg(65, 64)
    twice = await all_processed(system, ann, [data, data])
    keys = [each["url"].partition("/media/")[2] for media in twice for each in media["variants"]]
    assert len(set(keys)) == 10  # the same bytes, twice: nothing is shared
    digests = {
        hashlib.new(name, data).hexdigest()[:length]
        for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s")
        for length in (16, 32, 128)
    }
    digests |= {hashlib.blake2b(data, digest_size=size).hexdigest() for size in (8, 16, 32)}
    assert not [key for key in keys if any(digest in key for digest in digests)]
    assert not [key for media in twice for key in keys if media["id"] in key]
    assert all(len(key.partition("/")[0]) == 32 for key in keys)


#: The stored image of an upright photo: the inverse of what the orientation makes a viewer do (EXIF 2.3, 4.6.4).
TURNED: dict[int, Callable[[Any], Any]] = {
    1: lambda image: image,
    2: lambda image: image.fliphor(),
    3: lambda image: image.rot180(),
    4: lambda image: image.flipver(),
    5: lambda image: image.rot90().fliphor(),
    6: lambda image: image.rot270(),
    7: lambda image: image.rot270().fliphor(),
    8: lambda image: image.rot90(),
}


async def test_a_photo_comes_out_upright_however_the_camera_was_held(system: System, ann: Someone) -> None:
    upright = picture(300, 200)
    photos = [
        with_exif(turn(upright).jpegsave_buffer(Q=95, keep="none"), orientation=orientation)
        for orientation, turn in TURNED.items()
    ]
    processed = await all_processed(system, ann, photos)
    assert all(media["variants"] for media in processed)
    for orientation, media in zip(TURNED, processed, strict=True):
        for variant in media["variants"]:
            image = pyvips.Image.new_from_buffer(await stored(system, variant), "")
            assert image.width > image.height, (orientation, variant["name"])
            scale = image.width / 300
            for x, y in ((20, 20), (280, 20), (20, 180), (280, 180)):
                wanted = upright(x, y)
                got = image(min(image.width - 1, x * scale), min(image.height - 1, y * scale))
                assert max(abs(a - b) for a, b in zip(wanted, got, strict=True)) < 25, (orientation, variant["name"])


async def test_a_phone_photo_beyond_4096_pixels_is_made_smaller_not_refused(system: System, ann: Someone) -> None:
    media = await processed(system, ann, jpeg(5000, 2500))
    assert media["state"] == "succeeded"
    assert (media["variants"][0]["width"], media["variants"][0]["height"]) == (4096, 2048)


async def test_every_kind_of_photo_we_take_is_rendered(system: System, ann: Someone) -> None:
    base = picture(200, 100)
    png = [
        base.bandjoin(128).pngsave_buffer(),  # half transparent
        base[0].copy(interpretation="b-w").pngsave_buffer(),
        base.colourspace("rgb16").pngsave_buffer(),
        picture(1, 1).pngsave_buffer(),
    ]
    jpegs = [base.colourspace("cmyk").jpegsave_buffer(), picture(3, 3000).jpegsave_buffer()]
    found = await all_processed(system, ann, png, content_type="image/png")
    found += await all_processed(system, ann, jpegs)
    found += await all_processed(system, ann, [base.webpsave_buffer(lossless=True)], content_type="image/webp")
    assert [(media["state"], len(media["variants"])) for media in found] == [("succeeded", 5)] * 7


def bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes whose header states width × height pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(50_000)))
        + chunk(b"IEND", b"")
    )


async def test_a_bad_file_fails_with_its_reason_and_leaves_nothing(system: System, ann: Someone) -> None:
    good = jpeg(400, 300)
    bad = {
        EICAR: "not_a_photo",  # a file that is not a photo is not even scanned
        good + EICAR: "malware_found",
        b"this is no photo, whatever it says": "not_a_photo",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>': "not_a_photo",
        good[: len(good) // 2]: "damaged",
        good[:-200]: "damaged",
        good[:20]: "damaged",
        b"\xff\xd8\xff" + random.Random(7).randbytes(5000): "damaged",
        bomb(60_000, 60_000): "too_many_pixels",
        bomb(8_001, 8_001): "too_many_pixels",
        bomb(10_000_000, 1): "too_many_pixels",
    }
    found = await all_processed(system, ann, list(bad))
    assert [(media["state"], media["failure"]) for media in found] == [("failed", reason) for reason in bad.values()]
    assert all(media["variants"] == [] for media in found)


async def test_a_repeated_event_creates_nothing_twice(system: System, ann: Someone) -> None:
    media_id = await uploaded(system, ann, jpeg(321, 240))
    await system.drain()
    before = await system.call("media.read", user=ann, media_id=media_id)
    workers = system.apps["media"][SCHEDULER]

    again = MediaUploaded(
        **outbox.stamp(system.apps["media"], 0),
        media_id=int(media_id),
        owner_id=int(ann.id),
        object_key=f"uploads/{media_id}",
        size_bytes=1,
        content_type="image/jpeg",
    )
    await asyncio.gather(workers.on_uploaded(again), workers.on_uploaded(again))
    await system.drain()

    after = await system.call("media.read", user=ann, media_id=media_id)
    assert after.json == before.json
    assert after.json["media"]["state"] == "succeeded"


async def test_two_workers_on_one_photo_finish_it_once(system: System, ann: Someone) -> None:
    told = await announce(system, ann, data := jpeg(322, 240))
    await put(system, told["upload"], data)
    media_id = told["media"]["id"]
    async with asyncio.timeout(30):
        await system.call("media.complete", user=ann, media_id=media_id)
        event = MediaUploaded(
            **outbox.stamp(system.apps["media"], 0),
            media_id=int(media_id),
            owner_id=int(ann.id),
            object_key=f"uploads/{media_id}",
            size_bytes=len(data),
            content_type="image/jpeg",
        )
        await system.apps["media"][SCHEDULER].on_uploaded(event)
        await system.drain()
    media = (await system.call("media.read", user=ann, media_id=media_id)).json["media"]
    # the second one may not find the upload any more; the first one's success counts
    assert media["state"] == "succeeded"
    assert len(media["variants"]) == 5


async def test_a_worker_that_is_killed_is_replaced_and_its_photo_tried_again() -> None:
    pool = WorkerPool(workers=1)
    try:
        first = await pool.render(checked(jpeg(100, 100)))
        assert len(first.renderings) == 5
        worker = pool._free[0]
        os.kill(worker.pid, signal.SIGKILL)
        await worker.wait()
        with pytest.raises(WorkerLost):
            await pool.render(checked(jpeg(100, 100)))
        assert len((await pool.render(checked(jpeg(100, 100)))).renderings) == 5
    finally:
        await pool.close()


async def test_a_worker_that_takes_too_long_is_ended() -> None:
    pool = WorkerPool(workers=1, seconds_max=0.0)
    try:
        with pytest.raises(WorkerLost):
            await pool.render(checked(jpeg(100, 100)))
        assert pool._free == []
    finally:
        await pool.close()


async def test_a_worker_that_takes_too_much_processor_time_is_ended_by_the_kernel() -> None:
    clean = flat_jpeg(8_064, 6_048, scans=3_000)
    slow = Checked(kind="jpeg", width=8_064, height=6_048, memory_bytes=0, decode_seconds=0.0, clean=clean)
    pool = WorkerPool(workers=1, cpu_seconds_max=1)
    try:
        with pytest.raises(WorkerSlow):
            await pool.render(slow)
        assert len((await pool.render(checked(jpeg(100, 100)))).renderings) == 5
    finally:
        await pool.close()


async def test_a_worker_does_not_outlive_its_parent_however_that_ends() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio\n"
        "from services.media.events.pool import WorkerPool\n"
        "from services.media.rules.checks import checked\n"
        "from tests.service.media.photos import jpeg\n"
        "async def main():\n"
        "    pool = WorkerPool(workers=1)\n"
        "    await pool.render(checked(jpeg(50, 50)))\n"
        "    print('worker', pool._free[0].pid, flush=True)\n"
        "    await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n",
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert parent.stdout is not None
    async with asyncio.timeout(60):
        line = b""
        while not line.startswith(b"worker"):
            line = await parent.stdout.readline()
            assert line, "the parent ended"
        worker = psutil.Process(int(line.split()[1]))
        parent.kill()
        await parent.wait()
        while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def test_meeting_our_own_bound_on_memory_is_not_called_the_photos_damage() -> None:
    with pytest.raises(MemoryError):
        damaged(pyvips.Error("unable to call resize", "vips: out of memory -- size == 48MB"))
    assert damaged(pyvips.Error("unable to call x", "premature end of JPEG image")).refusal == "damaged"


async def test_with_the_scanner_down_a_photo_waits_and_is_never_passed(
    servers: Any, system: System, ann: Someone
) -> None:
    with servers.broken("media_clamd"):
        media_id = await uploaded(system, ann, jpeg(323, 240))
        async with asyncio.timeout(30):
            while await system.apps["upload"][outbox.OUTBOX].pending():  # noqa: ASYNC110 - rows in a database
                await asyncio.sleep(0.05)
        media = (await system.call("media.read", user=ann, media_id=media_id)).json["media"]
        assert media["state"] == "processing"
    await system.drain()
    media = (await system.call("media.read", user=ann, media_id=media_id)).json["media"]
    assert media["state"] == "succeeded"
