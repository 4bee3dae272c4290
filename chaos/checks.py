"""One check for each kind of acknowledged write: whether its author still finds it through the public API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import aiohttp

from core import operations
from core.operations import API

#: Pages of a list that are read before something counts as missing.
PAGES_MAX: Final = 50
_PAGE: Final = 100


class CheckResult(Enum):
    """The answer to one question."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"  # the system could not say: refused, or failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments of a check: a client of the gateway, the author's token, and the ids of what was created."""

    client: aiohttp.ClientSession
    token: str
    ids: Mapping[str, str]

    async def get(self, path: str, **query: str | int) -> tuple[int, Any]:
        """Status and JSON of ``GET /api/v1{path}``."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.client.get(API + path, params=query, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status == 200 else None


async def liked(asked: Asked) -> CheckResult:
    """The post exists, its reader has liked it, and its like count is at least one."""
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
    """The post exists and belongs to its author."""
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
    """The uploaded photo is known, and its processing has not failed."""
    status, body = await asked.get(f"/media/{asked.ids['media_id']}")
    if status != 200:
        return _without(status)
    return CheckResult.YES if body["media"]["state"] in ("processing", "succeeded") else CheckResult.NO


async def photo_deleted(asked: Asked) -> CheckResult:
    """The photo no longer exists."""
    status, _ = await asked.get(f"/media/{asked.ids['media_id']}")
    return _gone(status)


async def post_deleted(asked: Asked) -> CheckResult:
    """Neither the post nor its photo, which no other post shows, exists any more."""
    status, _ = await asked.get(f"/posts/{asked.ids['post_id']}")
    return _gone(status) if _gone(status) is not CheckResult.YES else await photo_deleted(asked)


async def story_deleted(asked: Asked) -> CheckResult:
    """The story is no longer in its author's tray, and its photo, which nothing else shows, no longer exists."""
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
    """The meaning of an answer without the object: it is gone, or its state is unknown."""
    return CheckResult.NO if status in (404, 410) else CheckResult.UNKNOWN


#: The check of each operation whose acknowledgements can be checked.
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
