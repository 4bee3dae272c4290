"""Waits until the system has processed the seeded data: photos are rendered, and posts are in their readers' feeds.

Both are checked through the public API, and both waits have a time limit.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from core.streams import named
from loadtest import address, progress
from loadtest.seed.api import SeedError, each
from loadtest.seed.world import World

_PROCESSED_WITHIN_SECONDS: Final = 240.0
_FANNED_OUT_WITHIN_SECONDS: Final = 120.0
_LOOK_EVERY_SECONDS: Final = 0.5
_LOOKS_AT_ONCE: Final = 16
_READERS: Final = 40
_NEWEST: Final = 5
#: Variants that a phone shows in a feed, best first; otherwise the largest JPEG that is not the original.
_SHOWN: Final = ("1080", "640")


async def photos_processed(world: World) -> None:
    """Wait until every photo is processed, and keep the variant that a reader's phone shows; raises SeedError."""
    waiting = {media_id: world.people[person] for person, media_id in world.media.items()}
    for index, media_id in world.post_media.items():  # of an earlier seeding
        waiting.setdefault(media_id, world.people[index % world.posters])
    total = len(waiting)
    deadline = time.monotonic() + _PROCESSED_WITHIN_SECONDS
    progress.tell("processing", 0, total)

    async def look(media_id: str) -> None:
        media = (await world.api.call("GET", f"/media/{media_id}", token=waiting[media_id].token)).value["media"]
        if media["state"] == "failed":
            raise SeedError(f"photo {media_id} could not be processed: {media.get('failure')}")
        if media["state"] == "succeeded":
            world.images[media_id] = _shown(media_id, media["variants"])

    while True:
        # photos are processed roughly in order, so checking the oldest shows the progress
        await each(
            [media_id for media_id in waiting if media_id not in world.images][:32], look, at_once=_LOOKS_AT_ONCE
        )
        progress.tell("processing", len(world.images), total)
        if len(world.images) == total:
            return
        if time.monotonic() > deadline:
            raise SeedError(
                f"{total - len(world.images):,} of {total:,} photos were not processed "
                f"within {_PROCESSED_WITHIN_SECONDS:.0f} s"
            )
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def posts_fanned_out(world: World) -> None:
    """Wait until the newest posts are in the feeds of randomly chosen readers; raises SeedError."""
    waiting = dict(_expected(world))
    total = len(waiting)
    deadline = time.monotonic() + _FANNED_OUT_WITHIN_SECONDS
    progress.tell("fan-out", 0, total)

    async def look(reader: int) -> None:
        path = "/feed?mode=chronological&limit=100"
        page = (await world.api.call("GET", path, token=world.people[reader].token)).value
        seen = {item["post"]["id"] for item in page["items"] if item.get("kind") == "post"}
        waiting[reader] -= seen
        if not waiting[reader]:
            del waiting[reader]

    while True:
        await each(list(waiting), look, at_once=_LOOKS_AT_ONCE)
        progress.tell("fan-out", total - len(waiting), total)
        if not waiting:
            return
        if time.monotonic() > deadline:
            reader, missing = next(iter(waiting.items()))
            raise SeedError(
                f"after {_FANNED_OUT_WITHIN_SECONDS:.0f} s posts are missing from the feeds of {len(waiting)} of "
                f"{total} readers; from that of {world.people[reader].username}: {', '.join(sorted(missing))}"
            )
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _expected(world: World) -> list[tuple[int, set[str]]]:
    draw = named(world.scenario.seed, "seed.readers")
    by_author: dict[int, list[str]] = {}
    for index, post_id in world.posts.items():
        by_author.setdefault(index % world.posters, []).append(post_id)
    readers = sorted({int(draw.uniform(each) * len(world.people)) for each in range(_READERS)})
    found = []
    for reader in readers:
        authors = [int(each) for each in world.people_of.following(reader) if int(each) in by_author]
        newest = sorted((post_id for author in authors for post_id in by_author[author]), key=int)[-_NEWEST:]
        if newest:
            found.append((reader, set(newest)))
    return found


def _shown(media_id: str, variants: list[dict[str, Any]]) -> tuple[str, int]:
    by_name = {variant["name"]: variant for variant in variants}
    for name in _SHOWN:
        if name in by_name:
            chosen = by_name[name]
            break
    else:
        jpegs = [each for each in variants if each["content_type"] == "image/jpeg" and each["name"] != "original"]
        if not jpegs:
            raise SeedError(f"photo {media_id} has no JPEG to show: {', '.join(sorted(by_name)) or 'no variants'}")
        chosen = max(jpegs, key=lambda variant: variant["width"])
    address.parse(chosen["url"])
    return chosen["url"], int(chosen["size_bytes"])
