"""What every answer gets before it is sent: codings, validators, cache rules, the location of a created resource."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import brotli
import pytest
from aiohttp import web
from multidict import CIMultiDictProxy

from core.failures import DETAIL_CHARACTERS_MAX, ERRORS_MAX, KINDS, PAGE, Failure, FieldError, Invalid
from core.names import Component
from core.operations import API, OPERATIONS
from core.settings import Member, ProcessSettings
from services.kit import body, codings, failures_page
from services.kit.answers import answer, problem
from services.kit.app import application, register
from services.kit.routing import route
from tests.service.conftest import Running, System

USER = "499661006012683264"
LONG = "wind " * 2_000


async def read(request: web.Request) -> web.Response:
    """Answer with as much text as the request says."""
    count = int(request.query.get("characters", "0"))
    return answer({"text": LONG[:count]})


class Made(body.Body, frozen=True, kw_only=True):
    """A created resource."""

    text: str = ""


async def make(request: web.Request) -> web.Response:
    """Create a resource, as the services do."""
    await body.read(request, Made)
    return answer({"comment": {"id": "77"}}, status=201)


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """A read with a validator, a read without, and a write."""
    app = application(settings, member)
    register(app, [route("post.read", read), route("feed.read", read), route("comment.add", make, body=Made)])
    return app


@pytest.fixture(scope="module")
async def system(running: Running) -> AsyncIterator[System]:
    """The three operations, running."""
    async with running(Component.POSTS, build_by=build) as system:
        yield system


async def _get(
    system: System, path: str, method: str = "GET", **headers: str
) -> tuple[int, CIMultiDictProxy[str], bytes]:
    url = system.urls["posts"] + API + path
    sent = {
        "X-User-Id": USER,
        "Accept-Encoding": "",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    async with system.session.request(method, url, headers=sent, auto_decompress=False) as answered:
        return answered.status, answered.headers, await answered.read()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", ""),
        ("identity", ""),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("*", "br"),
        ("*;q=0.3, br;q=0", "gzip"),
        ("br;q=0, gzip;q=0", ""),
        ("identity;q=1, gzip;q=0.5", ""),
        ("identity;q=0", ""),
        ("zstd, deflate", ""),
        ("gzip;q=2", ""),
        ("gzip;q=x, br;q=0.2", "br"),
        ("br;q=nan", ""),
        (",;,;q=1", ""),
        ("a," * 500 + "gzip", ""),
    ],
)
def test_a_client_gets_the_coding_that_it_likes_best_and_none_it_does_not_name(accepted: str, coding: str) -> None:
    assert codings.chosen(accepted) == coding


@pytest.mark.parametrize(("coding", "decode"), [("gzip", gzip.decompress), ("br", brotli.decompress)])
async def test_an_answer_above_a_kilobyte_is_compressed_and_one_below_is_not(
    system: System, coding: str, decode: Callable[[bytes], bytes]
) -> None:
    _, plain, whole = await _get(system, "/feed?characters=5000")
    assert ("Content-Encoding" in plain, plain["Vary"], len(whole) > 5_000) == (False, "Accept-Encoding", True)

    _, headers, packed = await _get(system, "/feed?characters=5000", Accept_Encoding=coding)
    assert (headers["Content-Encoding"], headers["Vary"]) == (coding, "Accept-Encoding")
    assert int(headers["Content-Length"]) == len(packed) < 500
    assert decode(packed) == whole

    _, headers, small = await _get(system, "/feed?characters=1000", Accept_Encoding=coding)
    assert "Content-Encoding" not in headers
    assert small.startswith(b'{"text":"wind')


async def test_a_read_that_has_not_changed_is_answered_without_a_body(system: System) -> None:
    _, first, _ = await _get(system, "/posts/1?characters=5000")
    _, packed, _ = await _get(system, "/posts/1?characters=5000", Accept_Encoding="br")
    assert first["ETag"] == packed["ETag"]
    assert first["ETag"].startswith('W/"')
    assert first["Cache-Control"] == "private, no-cache"

    for known in (first["ETag"], first["ETag"].removeprefix("W/"), f'"other", {first["ETag"]}', "*"):
        status, headers, left = await _get(system, "/posts/1?characters=5000", If_None_Match=known)
        assert (status, left, headers["ETag"]) == (304, b"", first["ETag"])
        assert headers["Vary"] == "Accept-Encoding"
    for other in ('"other"', first["ETag"][:-2] + '"', "nonsense"):
        assert (await _get(system, "/posts/1?characters=5000", If_None_Match=other))[0] == 200
    assert (await _get(system, "/posts/1?characters=5001", If_None_Match=first["ETag"]))[0] == 200


async def test_a_page_of_the_feed_has_no_validator(system: System) -> None:
    _, headers, _ = await _get(system, "/feed?characters=5000", If_None_Match="*")
    assert ("ETag" in headers, headers["Cache-Control"]) == (False, "private, no-cache")


async def test_the_head_of_a_read_is_that_of_the_read(system: System) -> None:
    for accepted in ("", "br"):
        _, whole, sent = await _get(system, "/posts/1?characters=5000", Accept_Encoding=accepted)
        status, head, left = await _get(system, "/posts/1?characters=5000", "HEAD", Accept_Encoding=accepted)
        assert (status, left) == (200, b"")
        assert int(head["Content-Length"]) == len(sent)
        for name in ("ETag", "Content-Type", "Cache-Control", "Vary"):
            assert head[name] == whole[name]
        assert head.get("Content-Encoding") == whole.get("Content-Encoding")


async def test_what_was_made_is_found_at_its_location_and_is_kept_nowhere(system: System) -> None:
    made = await system.send("posts", "POST", f"{API}/posts/5/comments", user=USER, json={})
    assert made.status == 201
    assert made.headers["Location"] == f"{API}/posts/5/comments#77"
    assert made.headers["Cache-Control"] == "no-store"


def test_every_operation_that_creates_something_has_a_location() -> None:
    reads = {operation.path for operation in OPERATIONS.values() if operation.method == "GET"}
    making = [operation for operation in OPERATIONS.values() if operation.status == 201]
    assert len(making) >= 5
    for operation in making:
        path = operation.made.partition("#")[0]
        readable = {read.replace("{user_id}", "{user.id}") for read in reads}
        readable |= {read.replace("{media_id}", "{media.id}").replace("{post_id}", "{post.id}") for read in reads}
        assert path in reads | readable, operation.name


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x-nonsense", "identity, gzip"])
async def test_a_body_in_a_content_coding_is_refused_whatever_it_holds(system: System, coding: str) -> None:
    for data in (b"{}", b"xxxxxxxx", gzip.compress(b"{}")):
        headers = {"Content-Encoding": coding}
        refused = await system.send("posts", "POST", f"{API}/posts/5/comments", user=USER, data=data, headers=headers)
        assert (refused.status, refused.json["code"]) == (415, "unsupported_media_type")
        assert (refused.headers["Accept-Encoding"], refused.json["errors"][0]["field"]) == (
            "identity",
            "Content-Encoding",
        )


async def test_an_expectation_that_is_not_100_continue_is_refused(system: System) -> None:
    refused = await system.send(
        "posts", "POST", f"{API}/posts/5/comments", user=USER, json={}, headers={"Expect": "nonsense"}
    )
    assert (refused.status, refused.json["code"]) == (417, "expectation_failed")


async def test_a_body_that_does_not_arrive_is_the_clients_time_out(running: Running, impatient: Path) -> None:
    async with running(Component.POSTS, build_by=build, scenario=impatient) as system:
        host, _, port = system.urls["posts"].removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {API}/posts/5/comments HTTP/1.1\r\nHost: x\r\nX-User-Id: {USER}\r\nContent-Length: 20\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
        async with asyncio.timeout(10):
            answered = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    assert answered.startswith(b"HTTP/1.1 408")


async def test_nothing_that_a_client_sends_is_repeated_at_length(system: System) -> None:
    name = "n" * 500_000
    refused = await system.send("posts", "POST", f"{API}/posts/5/comments", user=USER, json={name: 1})
    assert (refused.status, len(refused.body) < 1_000) == (400, True)
    missing = await system.send("posts", "GET", f"/{'p' * 4_000}")
    assert (missing.status, len(missing.body) < 1_000) == (404, True)


def test_a_problem_is_bounded_in_text_and_in_fields() -> None:
    errors = tuple(FieldError(field="f" * 9_000, detail="d" * 9_000) for _ in range(9_000))
    said = problem(Invalid("x" * 9_000, errors=errors), trace_id="t").body
    assert isinstance(said, bytes)
    assert len(said) < ERRORS_MAX * (2 * DETAIL_CHARACTERS_MAX + 50) + 1_000


async def test_the_page_of_failures_explains_every_kind(system: System) -> None:
    status, headers, page = await _get(system, PAGE.removeprefix(API), Accept_Encoding="br")
    assert (status, headers["Content-Type"], headers["Content-Encoding"]) == (200, "text/html; charset=utf-8", "br")
    text = brotli.decompress(page).decode()
    assert text == failures_page.page()
    assert len(KINDS) >= 19
    for kind in KINDS:
        assert f'<section id="{kind.code}">' in text
        assert kind.remedy, kind.code
        assert kind.type_uri() == f"{PAGE}#{kind.code}"
    assert len({kind.code for kind in KINDS}) == len(KINDS)


def test_every_failure_of_the_product_is_among_the_kinds() -> None:
    found, todo = set(), [Failure]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            if kind.__module__.partition(".")[0] != "tests":
                found.add(kind)
    assert found <= set(KINDS)
    assert found
