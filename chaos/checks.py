"""One check for each kind of acknowledged write: whether the public API still knows of it, asked as its own author."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import aiohttp

from core import operations
from core.operations import API

#: Pages of a list that are read before something is not in it.
PAGES_MAX: Final = 50
_PAGE: Final = 100


class CheckResult(Enum):
    """The answer to one question."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"  # the system could not say: refused, or failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a check is given: a client whose base is the gateway, the author's token, and the names of what was made."""

    client: aiohttp.ClientSession
    token: str
    ids: Mapping[str, str]

    async def get(self, path: str, **query: str | int) -> tuple[int, Any]:
        """Status and JSON of ``GET /api/v1{path}``."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.client.get(API + path, params=query, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status == 200 else None


async def liked(asked: Asked) -> CheckResult:
    """The post is there, its reader has liked it, and its count has room for that."""
    status, body = await asked.get(f"/posts/{asked.ids['post_id']}")
    if status != 200:
        return _without(status)
    post = body["post"]
    return CheckResult.YES if post["viewer_has_liked"] is True and post["like_count"] >= 1 else CheckResult.NO


async def not_liked(asked: Asked) -> CheckResult:
    """The post's reader has not liked it."""
    status, body = await asked.get(f"/posts/{asked.ids['post_id']}")
    if status != 200:
        return _without(status)
    return CheckResult.YES if body["post"]["viewer_has_liked"] is False else CheckResult.NO


async def posted(asked: Asked) -> CheckResult:
    """The post is there and is its author's."""
    status, body = await asked.get(f"/posts/{asked.ids['post_id']}")
    if status != 200:
        return _without(status)
    return CheckResult.YES if body["post"]["author"]["id"] == asked.ids["user_id"] else CheckResult.NO


async def commented(asked: Asked) -> CheckResult:
    """The comment is among the post's."""
    cursor = ""
    for _ in range(PAGES_MAX):
        query: dict[str, str | int] = {"limit": _PAGE, **({"cursor": cursor} if cursor else {})}
        status, body = await asked.get(f"/posts/{asked.ids['post_id']}/comments", **query)
        if status != 200:
            return _without(status)
        if any(item["id"] == asked.ids["comment_id"] for item in body["items"]):
            return CheckResult.YES
        cursor = body.get("next_cursor") or ""
        if not cursor:
            break
    return CheckResult.NO


async def uploaded(asked: Asked) -> CheckResult:
    """The photo that was handed over is known, and its processing has not failed."""
    status, body = await asked.get(f"/media/{asked.ids['media_id']}")
    if status != 200:
        return _without(status)
    return CheckResult.YES if body["media"]["state"] in ("processing", "succeeded") else CheckResult.NO


async def photo_deleted(asked: Asked) -> CheckResult:
    """The photo is not known any more."""
    status, _ = await asked.get(f"/media/{asked.ids['media_id']}")
    return _gone(status)


async def post_deleted(asked: Asked) -> CheckResult:
    """Neither the post is known any more nor its photo, which no other post has shown."""
    status, _ = await asked.get(f"/posts/{asked.ids['post_id']}")
    return _gone(status) if _gone(status) is not CheckResult.YES else await photo_deleted(asked)


async def story_deleted(asked: Asked) -> CheckResult:
    """Neither the story is in its author's tray any more nor is its photo known, which nothing else has shown."""
    status, body = await asked.get("/stories/tray")
    if status != 200:
        return CheckResult.UNKNOWN
    if any(story["id"] == asked.ids["story_id"] for item in body["items"] for story in item["stories"]):
        return CheckResult.NO
    return await photo_deleted(asked)


def _gone(status: int) -> CheckResult:
    if status in (404, 410):
        return CheckResult.YES
    return CheckResult.NO if status == 200 else CheckResult.UNKNOWN


def _without(status: int) -> CheckResult:
    """What an answer without the thing means: that it is gone, or that one cannot know."""
    return CheckResult.NO if status in (404, 410) else CheckResult.UNKNOWN


#: Operations whose acknowledgements can be checked, and how.
CHECKS: Final[dict[str, Callable[[Asked], Awaitable[CheckResult]]]] = {
    operations.LIKE_ADD: liked,
    operations.LIKE_REMOVE: not_liked,
    operations.POST_CREATE: posted,
    operations.COMMENT_ADD: commented,
    operations.MEDIA_COMPLETE: uploaded,
    operations.MEDIA_DELETE: photo_deleted,
    operations.POST_DELETE: post_deleted,
    operations.STORY_DELETE: story_deleted,
}
