"""A small server with the API's formats and no system behind it, for the generator's own tests.

``python -m tests.loadtest.server PORT_FILE``: listens on a free loopback port and writes it there. It counts what it
sees (``GET /seen``), and can be told to be slow or to refuse (``POST /behave``). It is a process of its own, so that a
test can stop it in mid-air with SIGSTOP.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from core.names import DEGRADED_HEADER, IDEMPOTENCY_HEADER


class Double:
    """State of the double."""

    def __init__(self) -> None:
        self.ids = itertools.count(1_000_000_000_000)
        self.users: dict[str, dict[str, Any]] = {}
        self.by_id: dict[str, dict[str, Any]] = {}
        self.follows: set[tuple[str, str]] = set()
        self.media: dict[str, dict[str, Any]] = {}
        self.posts: dict[str, dict[str, Any]] = {}
        self.replays: dict[str, tuple[int, Any]] = {}
        self.likes: set[tuple[str, str]] = set()
        self.seen: Counter[str] = Counter()
        self.arrivals: list[tuple[float, str, str]] = []
        self.sign_up_addresses: set[str | None] = set()
        self.behaviour: dict[str, Any] = {}
        self.base = ""

    def new_id(self) -> str:
        return str(next(self.ids))

    def viewer(self, request: web.Request) -> dict[str, Any]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        user = self.by_id.get(token.removeprefix("token-"))
        if user is None:
            raise web.HTTPUnauthorized
        return user


def answer(value: Any, status: int = 200, **headers: str) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json", headers=headers or None
    )


def build() -> web.Application:
    double = Double()

    @web.middleware
    async def watch(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path in ("/seen", "/behave", "/arrivals"):
            return await handler(request)  # type: ignore[no-any-return]
        name = f"{request.method} {request.match_info.route.resource.canonical}"  # type: ignore[union-attr]
        double.seen[name] += 1
        double.arrivals.append((time.time(), name, request.headers.get("Authorization", "")))
        told = double.behaviour.get(name, {})
        if told.get("delay_seconds"):
            await asyncio.sleep(told["delay_seconds"])
        if told.get("drop"):
            assert request.transport is not None
            request.transport.abort()
        if told.get("status") and told.get("times", 1) > 0:
            if "times" in told:
                told["times"] -= 1
            return answer({"title": "as told"}, told["status"])
        key = request.headers.get(IDEMPOTENCY_HEADER)
        if key and key in double.replays:
            status, body = double.replays[key]
            return web.Response(body=body, status=status, content_type="application/json")
        response = await handler(request)
        if key:
            double.replays[key] = (response.status, response.body)
        if told.get("degraded"):
            response.headers[DEGRADED_HEADER] = "timeline"
        return response  # type: ignore[no-any-return]

    async def seen(_: web.Request) -> web.Response:
        return answer(dict(double.seen))

    async def arrivals(_: web.Request) -> web.Response:
        return answer(double.arrivals)

    async def behave(request: web.Request) -> web.Response:
        double.behaviour = msgspec.json.decode(await request.read())
        return answer({})

    async def signup(request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        double.sign_up_addresses.add(request.remote)
        double.seen["addresses of sign-ups"] = len(double.sign_up_addresses)
        if body["username"] in double.users:
            return answer({"title": "taken"}, 409)
        user = {"id": double.new_id(), "username": body["username"], "display_name": body["display_name"]}
        double.users[body["username"]] = user | {"password": body["password"]}
        double.by_id[user["id"]] = user
        return answer(session(user), 201)

    async def login(request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        user = double.users.get(body["username"])
        if user is None or user["password"] != body["password"]:
            return answer({"title": "wrong"}, 401)
        return answer(session(user))

    def session(user: dict[str, Any]) -> dict[str, Any]:
        public = {"id": user["id"], "username": user["username"]}
        return {"user": public, "access_token": f"token-{user['id']}", "expires_in_seconds": 3600}

    async def follow(request: web.Request) -> web.Response:
        viewer, other = double.viewer(request)["id"], request.match_info["user_id"]
        if viewer == other or other not in double.by_id:
            return answer({"title": "no"}, 400)
        double.follows.add((viewer, other))
        return answer({"following": True})

    async def media_create(request: web.Request) -> web.Response:
        body, media_id = msgspec.json.decode(await request.read()), double.new_id()
        double.media[media_id] = {"owner": double.viewer(request)["id"], "size_bytes": body["size_bytes"], "looks": 0}
        upload = {"method": "PUT", "url": f"{double.base}/uploads/{media_id}?signature=a%2Fb", "headers": {}}
        return answer({"media": {"id": media_id, "state": "registered"}, "upload": upload}, 201)

    async def object_put(request: web.Request) -> web.Response:
        data = await request.read()
        media = double.media[request.match_info["media_id"]]
        if len(data) != media["size_bytes"] or request.rel_url.raw_query_string != "signature=a%2Fb":
            return answer({"title": "wrong size or signature"}, 403)
        media["body"] = data
        return web.Response()

    async def media_complete(request: web.Request) -> web.Response:
        media = double.media[request.match_info["media_id"]]
        if "body" not in media:
            return answer({"title": "not uploaded"}, 409)
        return answer({"media": {"id": request.match_info["media_id"], "state": "processing"}}, 202)

    async def media_read(request: web.Request) -> web.Response:
        media_id = request.match_info["media_id"]
        media = double.media[media_id]
        media["looks"] += 1
        state = "processing" if media["looks"] == 1 else "succeeded"
        variant = {
            "name": "1080", "url": f"{double.base}/media/{media_id}/1080.jpg", "width": 1080, "height": 810,
            "content_type": "image/jpeg", "size_bytes": 2_000,
        }  # fmt: skip
        return answer({"media": {"id": media_id, "state": state, "variants": [variant] if media["looks"] > 1 else []}})

    async def image(_: web.Request) -> web.Response:
        return web.Response(body=b"\xff" * 2_000, content_type="image/jpeg")

    async def post_create(request: web.Request) -> web.Response:
        viewer, body = double.viewer(request), msgspec.json.decode(await request.read())
        post_id = double.new_id()
        post = {"id": post_id, "author": viewer, "caption": body["caption"],
                "media": [{"id": each} for each in body["media_ids"]]}  # fmt: skip
        double.posts[post_id] = post
        return answer({"post": post}, 201)

    async def user_posts(request: web.Request) -> web.Response:
        own = [post for post in double.posts.values() if post["author"]["id"] == request.match_info["user_id"]]
        return answer({"items": own[::-1], "next_cursor": None})

    async def feed(request: web.Request) -> web.Response:
        viewer = double.viewer(request)["id"]
        limit = int(request.query.get("limit", "50"))
        items = [
            {"kind": "post", "source": "timeline", "post": post}
            for post in reversed(double.posts.values())
            if (viewer, post["author"]["id"]) in double.follows
        ]
        return answer({"items": items[:limit], "next_cursor": None})

    async def like(request: web.Request) -> web.Response:
        viewer, post_id = double.viewer(request)["id"], request.match_info["post_id"]
        if post_id not in double.posts:
            return answer({"title": "no such post"}, 404)
        double.likes.add((viewer, post_id))
        return answer({"liked": True, "like_count": 1})

    async def story_create(request: web.Request) -> web.Response:
        double.viewer(request)
        return answer({"story": {"id": double.new_id()}}, 201)

    async def comment(request: web.Request) -> web.Response:
        double.viewer(request)
        return answer({"comment": {"id": double.new_id(), "post_id": request.match_info["post_id"]}}, 201)

    async def items(request: web.Request) -> web.Response:
        double.viewer(request)
        return answer({"items": []})

    app = web.Application(middlewares=[watch], client_max_size=8 * 2**20)
    app[DOUBLE] = double
    app.add_routes(
        [
            web.get("/seen", seen), web.get("/arrivals", arrivals), web.post("/behave", behave),
            web.post("/api/v1/auth/signup", signup), web.post("/api/v1/auth/login", login),
            web.put("/api/v1/users/{user_id}/follow", follow), web.get("/api/v1/users/{user_id}/posts", user_posts),
            web.post("/api/v1/media", media_create), web.put("/uploads/{media_id}", object_put),
            web.post("/api/v1/media/{media_id}/complete", media_complete),
            web.get("/api/v1/media/{media_id}", media_read), web.get("/media/{media_id}/1080.jpg", image),
            web.post("/api/v1/posts", post_create), web.get("/api/v1/feed", feed),
            web.put("/api/v1/posts/{post_id}/like", like), web.post("/api/v1/posts/{post_id}/comments", comment),
            web.post("/api/v1/stories", story_create), web.get("/api/v1/stories/tray", items),
            web.get("/api/v1/search/users", items),
        ]
    )  # fmt: skip
    return app


DOUBLE = web.AppKey("double", Double)


async def serve(port_file: Path) -> None:
    app = build()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    app[DOUBLE].base = f"http://127.0.0.1:{port}"
    waiting = port_file.with_suffix(".new")
    waiting.write_text(str(port))
    waiting.rename(port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
