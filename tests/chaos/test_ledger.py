"""Acknowledged writes that are missing are reported as lost, and those that cannot be checked not as kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chaos import ledger
from chaos.ledger import LedgerError


@dataclass(slots=True)
class System:
    """Answers as the public API does, from the data that it was given."""

    likes: set[tuple[str, str]] = field(default_factory=set)  # token, post
    posts: dict[str, str] = field(default_factory=dict)  # post, author
    comments: dict[str, list[str]] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)  # media, state
    stories: list[str] = field(default_factory=list)
    url: str = ""
    refusals: int = 0  # answers 503 so often first
    asked_count: int = 0

    async def post(self, request: web.Request) -> web.Response:
        self.asked_count += 1
        if self.refusals > 0:
            self.refusals -= 1
            return web.json_response({}, status=503)
        post, token = request.match_info["post"], request.headers["Authorization"].removeprefix("Bearer ")
        if post not in self.posts:
            return web.json_response({}, status=404)
        count = sum(1 for _, liked in self.likes if liked == post)
        return web.json_response(
            {
                "post": {
                    "id": post,
                    "author": {"id": self.posts[post]},
                    "like_count": count,
                    "viewer_has_liked": (token, post) in self.likes,
                }
            }
        )

    async def list_comments(self, request: web.Request) -> web.Response:
        begin = int(request.query.get("cursor", "0"))
        ids = self.comments[request.match_info["post"]]
        page = [{"id": each} for each in ids[begin : begin + 2]]
        return web.json_response({"items": page, "next_cursor": str(begin + 2) if begin + 2 < len(ids) else None})

    async def read_media(self, request: web.Request) -> web.Response:
        media = request.match_info["media"]
        if media not in self.media:
            return web.json_response({}, status=404)
        return web.json_response({"media": {"id": media, "state": self.media[media]}})

    async def tray(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": [{"stories": [{"id": each}]} for each in self.stories]})


@pytest.fixture
async def system() -> AsyncIterator[System]:
    made = System(posts={"p1": "u7", "p2": "u7"})
    app = web.Application()
    app.router.add_get("/api/v1/posts/{post}", made.post)
    app.router.add_get("/api/v1/posts/{post}/comments", made.list_comments)
    app.router.add_get("/api/v1/media/{media}", made.read_media)
    app.router.add_get("/api/v1/stories/tray", made.tray)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/"))
        yield made


def told(folder: Path, *lines: dict[str, Any]) -> Path:
    people = [{"person": n, "user_id": f"u{n}", "username": f"p{n}", "token": f"t{n}"} for n in range(10)]
    (folder / "people.jsonl").write_text("".join(json.dumps(each) + "\n" for each in people), encoding="utf-8")
    path = folder / "acknowledged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def claim(operation: str, person: int, at_seconds: float = 1.0, **ids: str) -> dict[str, Any]:
    return {"operation": operation, "person": person, "user_id": f"u{person}", "at_seconds": at_seconds, **ids}


async def check(system: System, folder: Path, *lines: dict[str, Any], settle_seconds: float = 0.0) -> dict[str, int]:
    return await ledger.check(told(folder, *lines), system.url, folder, settle_seconds=settle_seconds)


async def test_everything_that_was_acknowledged_is_found(system: System, tmp_path: Path) -> None:
    system.likes = {("t1", "p1"), ("t2", "p1")}
    system.comments = {"p1": ["c1", "c2", "c3", "c4", "c5"]}
    system.media = {"m1": "processing"}
    counts = await check(
        system,
        tmp_path,
        claim("like.add", 1, post_id="p1"),
        claim("like.add", 2, post_id="p1"),
        claim("post.create", 7, post_id="p2", media_id="m1"),
        claim("comment.add", 3, post_id="p1", comment_id="c5"),
        claim("media.complete", 7, media_id="m1"),
    )
    for name, number in {"like.add": 2, "post.create": 1, "comment.add": 1, "media.complete": 1}.items():
        assert counts[f"{name}.acknowledged"] == counts[f"{name}.found"] == number
        assert counts[f"{name}.lost"] == 0


async def test_a_like_that_is_not_there_is_lost(system: System, tmp_path: Path) -> None:
    system.likes = {("t1", "p1")}
    counts = await check(system, tmp_path, claim("like.add", 1, post_id="p1"), claim("like.add", 2, post_id="p1"))
    assert counts == {"like.add.acknowledged": 2, "like.add.found": 1, "like.add.lost": 1}


async def test_posts_comments_and_photos_can_be_lost_too(system: System, tmp_path: Path) -> None:
    system.comments = {"p1": ["c1", "c2", "c3"]}
    system.media = {"m1": "failed"}
    counts = await check(
        system,
        tmp_path,
        claim("post.create", 7, post_id="gone"),
        claim("post.create", 3, post_id="p1"),  # somebody else's
        claim("comment.add", 3, post_id="p1", comment_id="c9"),
        claim("media.complete", 7, media_id="m1"),
    )
    assert (counts["post.create.lost"], counts["comment.add.lost"], counts["media.complete.lost"]) == (2, 1, 1)


async def test_what_was_deleted_and_is_still_there_is_lost(system: System, tmp_path: Path) -> None:
    system.media, system.stories = {"m1": "succeeded", "m2": "succeeded"}, ["s2", "s1"]
    counts = await check(
        system,
        tmp_path,
        claim("media.delete", 7, media_id="gone"),
        claim("media.delete", 7, media_id="m1"),
        claim("post.delete", 7, post_id="gone", media_id="gone"),
        claim("post.delete", 7, post_id="gone", media_id="m2"),  # the post is gone, its photo is not
        claim("post.delete", 7, post_id="p1", media_id="gone"),
        claim("story.delete", 7, story_id="gone", media_id="gone"),
        claim("story.delete", 7, story_id="gone", media_id="m2"),
        claim("story.delete", 7, story_id="s1", media_id="gone"),
    )
    assert (counts["media.delete.found"], counts["media.delete.lost"]) == (1, 1)
    assert (counts["post.delete.found"], counts["post.delete.lost"]) == (1, 2)
    assert (counts["story.delete.found"], counts["story.delete.lost"]) == (1, 2)


async def test_only_the_last_word_on_a_like_counts(system: System, tmp_path: Path) -> None:
    system.likes = {("t2", "p1")}
    counts = await check(
        system,
        tmp_path,
        claim("like.remove", 1, 5.0, post_id="p1"),
        claim("like.add", 1, 2.0, post_id="p1"),
        claim("like.add", 1, 3.0, post_id="p1"),
        claim("like.remove", 2, 5.0, post_id="p1"),
    )
    assert counts == {"like.remove.acknowledged": 2, "like.remove.found": 1, "like.remove.lost": 1}


async def test_what_comes_late_is_not_lost(system: System, tmp_path: Path) -> None:
    system.likes = {("t1", "p1")}
    system.refusals = 2
    counts = await check(system, tmp_path, claim("like.add", 1, post_id="p1"), settle_seconds=10.0)
    assert counts["like.add.lost"] == 0
    assert system.asked_count == 3


async def test_a_system_that_does_not_answer_proves_nothing(system: System, tmp_path: Path) -> None:
    system.refusals = 1000
    with pytest.raises(LedgerError, match="cannot check"):
        await check(system, tmp_path, *(claim("like.add", n, post_id="p1") for n in range(5)))
    with pytest.raises(LedgerError, match="cannot check"):
        await ledger.check(
            told(tmp_path, claim("like.add", 1, post_id="p1")), "http://127.0.0.1:9", tmp_path, settle_seconds=0.0
        )


async def test_an_unacknowledged_write_cannot_be_lost(system: System, tmp_path: Path) -> None:
    assert await check(system, tmp_path) == {}


async def test_a_broken_ledger_is_an_error_that_names_the_line(system: System, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"acknowledged\.jsonl:2"):
        await check(system, tmp_path, claim("like.add", 1, post_id="p1"), {"operation": "like.add"})
    with pytest.raises(LedgerError, match="No such file"):
        await ledger.check(tmp_path / "nothing", system.url, tmp_path)
    with pytest.raises(LedgerError, match="not seeded"):
        await check(system, tmp_path, claim("like.add", 77, post_id="p1"))
