"""Sign-up and login, against real PostgreSQL and Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import jwt
import pytest

from core import ids
from core.names import Component
from services.auth.routes import PASSWORDS
from tests.service.conftest import PASSWORD, System

COMPONENTS = (Component.AUTH,)


def verified(token: str, system: System) -> dict[str, Any]:
    """Claims of a token whose signature holds against the public key."""
    public = Path(system.settings.keys.jwt_public_key).read_bytes()
    claims: dict[str, Any] = jwt.decode(token, public, algorithms=["ES256"], issuer="windtunnel")
    return claims


async def test_a_new_account_can_log_in_and_its_token_says_who_it_is(system: System) -> None:
    signed_up = await system.call("auth.signup", json={"username": "new.account_1", "password": PASSWORD})
    logged_in = await system.call("auth.login", json={"username": "new.account_1", "password": PASSWORD})

    assert (signed_up.status, logged_in.status) == (201, 200)
    assert signed_up.json["user"] == logged_in.json["user"]
    claims = verified(logged_in.json["access_token"], system)
    assert claims["sub"] == signed_up.json["user"]["id"]
    assert claims["exp"] - claims["iat"] == logged_in.json["expires_in_seconds"] <= 3600


async def test_an_account_lives_on_the_shard_of_its_name(system: System) -> None:
    user = (await system.call("auth.signup", json={"username": "Sharded.Name", "password": PASSWORD})).json["user"]

    assert ids.shard_of(int(user["id"])) == ids.shard_of_name("sharded.name", 16)
    assert user["username"] == "sharded.name"
    assert user["display_name"] == "Sharded.Name"


async def test_a_name_is_found_in_any_case_and_taken_in_any_case(system: System) -> None:
    await system.call("auth.signup", json={"username": "Some.Body", "password": PASSWORD})

    again = await system.call("auth.signup", json={"username": "sOME.bODY", "password": PASSWORD})
    login = await system.call("auth.login", json={"username": "SOME.BODY", "password": PASSWORD})

    assert (again.status, login.status) == (409, 200)
    assert again.json["errors"][0]["field"] == "username"


async def test_of_many_who_want_one_name_at_once_one_gets_it(system: System) -> None:
    wanted = {"username": "wanted.by.many", "password": PASSWORD}

    statuses = sorted(
        [answer.status for answer in await asyncio.gather(*(system.call("auth.signup", json=wanted) for _ in range(8)))]
    )

    assert statuses == [201] + [409] * 7


@pytest.mark.parametrize("username", ["nobody.of.this.name", "wrong.password"])
async def test_wrong_credentials_are_told_alike(system: System, username: str) -> None:
    await system.call("auth.signup", json={"username": "wrong.password", "password": PASSWORD})

    answer = await system.call("auth.login", json={"username": username, "password": "not that one"})

    assert answer.status == 401
    assert answer.json["code"] == "unauthenticated"
    assert answer.json["detail"] == "Wrong name or password"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'"text"', "body"),
        (b"\xff", "body"),
        (b"", "body"),
        (b'{"password": "long enough"}', "username"),
        (b'{"username": 7, "password": "long enough"}', "username"),
        (b'{"username": "ab", "password": "long enough"}', "username"),
        (b'{"username": "white space", "password": "long enough"}', "username"),
        (b'{"username": "abc\\n", "password": "long enough"}', "username"),
        (b'{"username": "abcd", "password": "short"}', "password"),
        (b'{"username": "abcd", "password": null}', "password"),
        (b'{"username": "abcd", "password": "long enough", "admin": true}', "admin"),
        (b'{"username": "abcd", "password": "long enough", "display_name": ""}', "display_name"),
        (b'{"username": "abcd", "password": "long\\u0000enough"}', "body"),
    ],
)
async def test_a_wrong_field_is_named(system: System, body: bytes, field: str) -> None:
    answer = await system.call("auth.signup", data=body)

    assert answer.status == 400, answer.json
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_too_many_logins_at_once_are_refused_and_told_when_to_come_back(system: System) -> None:
    passwords = system.apps["auth"][PASSWORDS]
    held = [asyncio.ensure_future(passwords.hash(PASSWORD)) for _ in range(64)]
    try:
        await asyncio.sleep(0)
        answer = await system.call("auth.login", json={"username": "whoever", "password": PASSWORD})
    finally:
        await asyncio.gather(*held)

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
