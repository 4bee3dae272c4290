"""Whatever is sent to uploads and posts, the answer is a problem that names what is wrong, never a 5xx."""

from __future__ import annotations

from typing import Any

import pytest

from core.names import Component
from core.operations import API
from tests.service.conftest import Someone, System

COMPONENTS = (Component.AUTH, Component.POSTS, Component.MEDIA, Component.UPLOAD, Component.ENGAGEMENT)

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
