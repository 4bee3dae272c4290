"""Any bad input to any operation gets a short problem document that names what is wrong, and never a 5xx."""

from __future__ import annotations

import random
import re
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from core.names import IDEMPOTENCY_HEADER, Component
from core.operations import API
from services.kit import openapi
from services.kit.answers import PROBLEM, Problem
from services.kit.fields import ID_PATTERN
from services.kit.routing import Route
from tests.service.conftest import Someone, System

COMPONENTS = tuple(Component)
SEED = 20261130
ROUNDS = 40  # requests of each operation
ANSWER_BYTES_MAX = 1_000  # largest size of a refusal
ROUTES = [route for component in Component for route in openapi.routes_of(component)]
#: Spellings of an existing id: each would be a second address of the same object.
SPELLINGS = {
    "leading zero": lambda known: f"0{known}",
    "plus": lambda known: f"+{known}",
    "underscore": lambda known: f"{known[:1]}_{known[1:]}",
    "Arabic digits": lambda known: "".join(chr(0x660 + int(digit)) for digit in known),
    "full-width digits": lambda known: "".join(chr(0xFF10 + int(digit)) for digit in known),
    "space before": lambda known: f" {known}",
    "line end": lambda known: f"{known}\n",
    "fraction": lambda known: f"{known}.0",
}
RUBBISH: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 63, 1.5, "", " ", "x", "x" * 3_000, "\x00", "\u202e", "\U0001f304", "'; DROP TABLE users",
    "../../etc/passwd", "%00", "null", "[]", "1e999", "007", "+7", "1_0", "٣", [], ["x"], [[]], {}, {"x": {}}, "9" * 30,
)  # fmt: skip

BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"1e999",
    b"\xff\xfe",
    b'{"media_ids": ["\\ud800"]}',
    b'{"media_ids": [[]]}',
    b'{"media_ids": ["-1"]}',
    b'{"media_ids": ["99999999999999999999"]}',
    b'{"media_ids": ["9223372036854775807"]}',
    '{"media_ids": ["٣"]}'.encode(),
    b'{"content_type": "image/jpeg", "size_bytes": 1.5}',
    b'{"content_type": "image/jpeg", "size_bytes": true}',
    b'{"content_type": "image/jpeg", "size_bytes": -9223372036854775809}',
    b'{"content_type": "image/jpeg\\u0000", "size_bytes": 5}',
    b'{"checksum_sha256": "\xc3\xa9"}',
    b"[" * 10_000,
)
PATHS = (
    ("posts", "POST", "/posts"),
    ("upload", "POST", "/media"),
    ("upload", "POST", "/media/{id}/complete"),
)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:40]))
async def test_no_body_brings_anything_down(system: System, ann: Someone, body: bytes) -> None:
    for component, method, path in PATHS:
        answer = await system.send(component, method, API + path.format(id=ann.id), user=ann, data=body)
        assert 400 <= answer.status < 500, (path, answer.json)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json["trace_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("component", "method", "path", "status"),
    [
        ("posts", "GET", "/posts/0", 404),
        ("posts", "GET", "/posts/-1", 400),
        ("posts", "GET", "/posts/9223372036854775807", 404),
        ("posts", "GET", "/posts/9223372036854775808", 400),
        ("posts", "DELETE", "/posts/%00", 400),
        ("posts", "GET", "/users/%F0%9F%8C%84/posts", 400),
        ("posts", "PUT", "/posts", 405),
        ("posts", "GET", "/nowhere", 404),
        ("upload", "GET", "/media/ ", 400),
        ("upload", "POST", "/media/9223372036854775807/complete", 404),
        ("upload", "PATCH", "/media/1", 405),
    ],
)
async def test_no_path_brings_anything_down(
    system: System, ann: Someone, component: str, method: str, path: str, status: int
) -> None:
    answer = await system.send(component, method, API + path, user=ann)
    assert answer.status == status, answer.json
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_bad_idempotency_key_is_named(system: System, ann: Someone, key: str) -> None:
    body: Any = {"content_type": "image/jpeg", "size_bytes": 5}
    answer = await system.call("media.create", user=ann, json=body, headers={"Idempotency-Key": key})
    assert answer.status == 400
    assert answer.json["errors"][0]["field"] == "Idempotency-Key"


async def test_a_body_beyond_the_limit_is_too_large(system: System, ann: Someone) -> None:
    answer = await system.send("posts", "POST", f"{API}/posts", user=ann, data=b" " * ((1 << 20) + 1))
    assert answer.status == 413


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_an_id_has_one_spelling_in_every_path_as_the_document_says(
    system: System, ann: Someone, spelling: str
) -> None:
    other = SPELLINGS[spelling](ann.id)
    assert re.fullmatch(ID_PATTERN, ann.id)
    assert not re.fullmatch(ID_PATTERN, other)
    asked = [route.operation for route in ROUTES if "_id}" in route.operation.path]
    assert len(asked) > 10
    for operation in asked:
        names = re.findall(r"{(\w+)}", operation.path)
        path = API + operation.path.format(**dict.fromkeys(names, quote(other, safe="")))
        answer = await system.send(operation.component, operation.method, path, user=ann, json={})
        assert answer.status == 400, (operation.name, answer.json)
        assert [each["field"] for each in answer.json["errors"]] == names, operation.name


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation.name)
async def test_no_rubbish_brings_an_operation_down_or_is_repeated_at_length(
    system: System, ann: Someone, route: Route
) -> None:
    draw = random.Random(f"{SEED} {route.operation.name}")
    refused = 0
    for number in range(ROUNDS):
        sent = _rubbish(draw, route, ann.id)
        user = ann if number % 8 else None
        answer = await system.send(route.operation.component, route.operation.method, user=user, **sent)
        assert answer.status < 500, (sent, answer.json)
        if answer.status >= 400:
            refused += 1
            assert answer.headers["Content-Type"].startswith(PROBLEM), sent
            told = msgspec.json.decode(answer.body, type=Problem)
            assert (told.status, told.trace_id) == (answer.status, answer.headers["X-Request-Id"])
            assert len(answer.body) <= ANSWER_BYTES_MAX, (sent, answer.json)
            if answer.status in (429, 503):
                assert int(answer.headers["Retry-After"]) >= 1
    assert refused


def _rubbish(draw: random.Random, route: Route, known: str) -> dict[str, Any]:
    def text() -> str:
        return str(draw.choice(RUBBISH))

    names = re.findall(r"{(\w+)}", route.operation.path)
    path = API + route.operation.path.format(
        **{name: quote(draw.choice((known, text())), safe="") or "0" for name in names}
    )
    query = {name: text() for name in _fields(route.query) if draw.random() < 0.7} or {"x": text()}
    headers = {name: text() for name in _HEADERS if draw.random() < 0.2}
    headers = {name: value for name, value in headers.items() if value.isascii() and value.isprintable()}
    body: Any = {name: draw.choice(RUBBISH) for name in _fields(route.body) if draw.random() < 0.8}
    if draw.random() < 0.3:
        body = draw.choice((*RUBBISH, {**body, "x": 1}))
    data = msgspec.json.encode(body)
    if draw.random() < 0.2:
        data = data[: len(data) // 2] + b"\xff"
    return {"path": path, "query": query, "headers": headers, "data": data if route.operation.method != "GET" else None}


_HEADERS = (IDEMPOTENCY_HEADER, "If-None-Match", "X-Request-Id", "Accept", "Content-Type")


def _fields(kind: type[Any] | None) -> tuple[str, ...]:
    return () if kind is None else tuple(kind.__struct_encode_fields__)
