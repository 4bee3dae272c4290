"""Sign-up and login, against real PostgreSQL and Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import jwt
import pytest

from core import ids
from core.names import CLIENT_HEADER, Component
from core.policies.logins import WAITING_EACH_MAX, WAITING_MAX
from services.auth.routes import PASSWORDS
from services.auth.rules.attempts import attempt
from tests.service.conftest import PASSWORD, System
from tests.service.waiting import until

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


async def test_names_are_compared_without_case(system: System) -> None:
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
async def test_wrong_name_and_wrong_password_have_the_same_answer(system: System, username: str) -> None:
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


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"username": "..."}, "username"),
        ({"username": "a..b"}, "username"),
        ({"username": ".abc"}, "username"),
        ({"username": "abc."}, "username"),
        ({"username": "___"}, "username"),
        ({"username": "\u212aelvin"}, "username"),  # the kelvin sign, whose lower case is a k
        ({"username": "a" * 31}, "username"),
        ({"display_name": "an\u202ena"}, "display_name"),
        ({"display_name": "\u200b"}, "display_name"),
        ({"display_name": "\u3164\u3164"}, "display_name"),
        ({"display_name": "a\nb\u0007"}, "display_name"),
        ({"display_name": "\ue000"}, "display_name"),
        ({"display_name": "x" * 65}, "display_name"),
        ({"display_name": " \u3000 "}, "display_name"),
        ({"password": "password1"}, "password"),
        ({"password": "QwertyUiop"}, "password"),
        ({"password": "aaaaaaaaaa"}, "password"),
        ({"password": "hgfedcba"}, "password"),
        ({"password": "Some.Name"}, "password"),
        ({"password": "Zoë Adams", "display_name": "Zoe\u0308 adams"}, "password"),
        ({"password": "é" * 257}, "password"),
        ({"password": "e\u0301" * 7}, "password"),
    ],
)
async def test_a_sign_up_that_nobody_should_make_is_refused_by_its_field(
    system: System, changed: dict[str, str], field: str
) -> None:
    answer = await system.call("auth.signup", json={"username": "some.name", "password": PASSWORD, **changed})

    assert answer.status == 400, answer.json
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_a_name_is_stored_as_it_shows_and_a_password_holds_in_each_form_of_unicode(system: System) -> None:
    name = {"username": "unicode.name", "display_name": " Zoe\u0308\u3000 Ådams "}
    signed_up = await system.call("auth.signup", json={**name, "password": "cafe\u0301 au lait"})
    logged_in = await system.call("auth.login", json={"username": "unicode.name", "password": "café au lait"})

    assert signed_up.json["user"]["display_name"] == "Zoë Ådams"
    assert logged_in.status == 200


async def test_a_password_of_any_length_is_compared_in_bounded_time(system: System) -> None:
    longest = "a long password " * 16
    signed_up = await system.call("auth.signup", json={"username": "long.password", "password": longest})
    assert signed_up.status == 201
    for password, status in ((longest, 200), (longest + "x", 401), (longest * 1_000, 401)):
        answer = await system.call("auth.login", json={"username": "long.password", "password": password})
        assert answer.status == status


@pytest.mark.parametrize("text", [r"\ud800", r"\udfff\ud800", r"a\ud83dz"])
async def test_half_a_character_is_refused(system: System, text: str) -> None:
    data = b'{"username": "half.of.it", "password": "correct horse", "display_name": "%s"}' % text.encode()
    assert (await system.call("auth.signup", data=data)).status == 400


#: A hash with 60 passes of Argon2id instead of 2, so that it takes a second to check.
SLOW = "$argon2id$v=19$m=19456,t=60,p=1$MTIzNDU2Nzg$" + "A" * 43


async def test_too_many_logins_at_once_are_refused_in_all_and_of_one_address(system: System) -> None:
    passwords = system.apps["auth"][PASSWORDS]

    async def status(address: str) -> int:
        answer = await system.call(
            "auth.login", json={"username": "whoever", "password": PASSWORD}, headers={CLIENT_HEADER: address}
        )
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
        return answer.status

    def wait(address: str, count: int) -> list[asyncio.Future[bool]]:
        waiting = [passwords.matches(SLOW, PASSWORD, client=network_of(address)) for _ in range(count)]
        return [asyncio.ensure_future(each) for each in waiting]

    held = wait("192.0.2.1", WAITING_EACH_MAX)
    try:
        await asyncio.sleep(0)
        assert await status("192.0.2.1") == 503
        held += wait("192.0.2.2", WAITING_MAX - WAITING_EACH_MAX)
        await asyncio.sleep(0)
        assert await status("192.0.2.3") == 503
    finally:
        for each in held:
            each.cancel()
        await asyncio.gather(*held, return_exceptions=True)

    async def free_again() -> bool:
        return await status("192.0.2.4") == 401

    await until(free_again)


def network_of(address: str) -> str:
    """The client that an address counts as."""
    return attempt(username="", address=address).address
