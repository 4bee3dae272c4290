"""Guessing passwords, against real Redis: limited by account and address, and nobody else is locked out."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from typing import Any

import msgspec
import pytest

from core import settings
from core.names import CLIENT_HEADER, Component
from services.auth.routes import ATTEMPTS
from services.auth.rules.attempts import (
    ADDRESS,
    KNOWN_MAX,
    KNOWN_PAIR,
    PAIR,
    STRICT_PAIR,
    WATCHED_FAILURES,
    FailedLogins,
    attempt,
    network,
    wait_ms,
)
from services.auth.store.attempts import Counted, LocalAttempts
from services.kit.stores.redis import REDIS
from tests.service.conftest import PASSWORD, Answer, Running, Someone, System

COMPONENTS = (Component.AUTH, Component.GRAPH)
_ADDRESSES = (f"2001:db8:{high:x}:{low:x}::1" for high, low in itertools.product(range(1, 65_536), repeat=2))


def elsewhere() -> str:
    """A new client's address."""
    return next(_ADDRESSES)


@pytest.fixture(autouse=True)
async def nothing_kept(system: System) -> None:
    """Addresses of an earlier run of these tests have no failures."""
    redis: Any = system.apps["auth"][REDIS]
    async for key in redis.scan_iter(match="login:*"):
        await redis.delete(key)


async def login(system: System, username: str, password: str, address: str) -> Answer:
    return await system.call(
        "auth.login", json={"username": username, "password": password}, headers={CLIENT_HEADER: address}
    )


async def refused_login(system: System, username: str, password: str, address: str) -> Answer:
    """What is told once the count in Redis is over the allowance; a guess that Redis was too late for is counted by the
    process alone, and answered."""
    for _ in range(STRICT_PAIR.free):
        answer = await login(system, username, password, address)
        if answer.status == 429:
            return answer
    raise AssertionError(f"{username} was not refused from {address}")


async def limited(system: System, username: str, address: str) -> Answer:
    """Guess until a guess is refused; by then waits are longer than a guess takes."""
    for each in range(PAIR.free + 12):
        answer = await login(system, username, f"guess number {each}", address)
        if answer.status == 429:
            assert each >= STRICT_PAIR.free
            return answer
        assert (answer.status, answer.json["detail"]) == (401, "Wrong name or password")
    raise AssertionError(f"{username} can be guessed without end")


async def failed(system: System, username: str, address: str, times: int) -> None:
    """So many failed logins of the past, the first from there, and the last now; none of them is refused."""
    now_ms = time.time_ns() // 10**6
    for each in range(times):
        at_ms = now_ms - (times - 1 - each) * 3_601_000
        asked = attempt(username=username, address=address)
        assert await system.apps["auth"][ATTEMPTS].shared(asked, now_ms=at_ms) == 0


async def signed_up(system: System, address: str) -> Someone:
    """Somebody who signed up from this address, which is known."""
    username = f"l{time.time_ns() // 1000:x}"
    answer = await system.call(
        "auth.signup", json={"username": username, "password": PASSWORD}, headers={CLIENT_HEADER: address}
    )
    assert answer.status == 201, answer.json
    # Redis may have been too late to note the sign-up
    await system.apps["auth"][ATTEMPTS].signed_up(attempt(username=username, address=address))
    return Someone(id=answer.json["user"]["id"], username=username, token="")


async def test_guesses_at_one_account_are_limited_and_its_owner_logs_in_from_elsewhere(system: System) -> None:
    home, attacker = elsewhere(), elsewhere()
    owner = await signed_up(system, home)

    refused = await limited(system, owner.username, attacker)

    assert refused.json["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= PAIR.wait_seconds_max
    another = elsewhere()
    await failed(system, owner.username, another, 10)
    await refused_login(system, owner.username, PASSWORD, another)  # it learns nothing, even when right
    assert (await login(system, owner.username, PASSWORD, home)).status == 200
    assert (await login(system, owner.username, PASSWORD, elsewhere())).status == 200


@pytest.mark.alone  # sixty at once, within the time that a request may take
async def test_guesses_sent_at_once_are_limited_as_if_sent_one_after_another(system: System) -> None:
    owner, attacker = await signed_up(system, elsewhere()), elsewhere()

    answers = await asyncio.gather(*(login(system, owner.username, f"guess {each}", attacker) for each in range(60)))

    # on a busy machine a wait may end, or Redis may be late and this process counts alone
    statuses = Counter(each.status for each in answers)
    assert set(statuses) == {401, 429}
    assert statuses[401] <= 3 * PAIR.free


async def test_nobody_learns_from_the_limit_whether_an_account_exists(system: System) -> None:
    owner = await signed_up(system, elsewhere())
    seen = []
    for username in (owner.username, f"nobody.{owner.username}"):
        first, guessing = await login(system, username, "some guess", elsewhere()), elsewhere()
        await failed(system, username, guessing, 12)
        second = await refused_login(system, username, "some guess", guessing)
        seen.append([(each.status, each.json["code"], each.json["detail"]) for each in (first, second)])
    assert seen[0] == seen[1]
    assert [status for status, _, _ in seen[0]] == [401, 429]


async def test_who_guesses_at_the_owners_own_address_keeps_the_owner_out_for_a_minute_at_most(system: System) -> None:
    home = elsewhere()
    owner = await signed_up(system, home)
    await failed(system, owner.username, home, 30)
    asked, now_ms = attempt(username=owner.username, address=home), time.time_ns() // 10**6
    attempts = system.apps["auth"][ATTEMPTS]
    assert 0 < await attempts.shared(asked, now_ms=now_ms) <= 1000 * KNOWN_PAIR.wait_seconds_max
    assert await attempts.shared(asked, now_ms=now_ms + 1000 * KNOWN_PAIR.wait_seconds_max) == 0


async def test_guesses_from_many_addresses_make_the_allowance_of_new_ones_smaller_and_keep_nobody_out(
    system: System,
) -> None:
    home, another = elsewhere(), elsewhere()
    owner = await signed_up(system, home)
    for _ in range(WATCHED_FAILURES):
        await failed(system, owner.username, elsewhere(), 1)

    async def waits(address: str) -> list[int]:
        asked, now_ms = attempt(username=owner.username, address=address), time.time_ns() // 10**6
        return [await system.apps["auth"][ATTEMPTS].shared(asked, now_ms=now_ms) for _ in range(PAIR.free)]

    assert await waits(another) == [0] * STRICT_PAIR.free + [1_000] * (PAIR.free - STRICT_PAIR.free)
    assert await waits(home) == [0] * PAIR.free
    assert (await login(system, owner.username, PASSWORD, elsewhere())).status == 200


async def test_one_address_that_guesses_at_many_accounts_is_limited_and_those_who_live_there_are_not(
    system: System,
) -> None:
    shared = elsewhere()
    neighbour = await signed_up(system, shared)
    now_ms = time.time_ns() // 10**6
    for each in range(ADDRESS.free + 7):  # each at another account, ten minutes apart
        asked = attempt(username=f"account.{each}", address=shared)
        at_ms = now_ms - (ADDRESS.free + 6 - each) * 600_000
        assert await system.apps["auth"][ATTEMPTS].shared(asked, now_ms=at_ms) == 0

    await refused_login(system, "account.x", "some guess", shared)
    await refused_login(system, "account.y", "some guess", shared.removesuffix("1") + "ffff")
    assert (await login(system, neighbour.username, PASSWORD, shared)).status == 200
    assert (await login(system, "account.x", "some guess", elsewhere())).status == 401


async def test_a_right_password_clears_the_failures_and_an_attempt_that_was_withdrawn_counts_nothing(
    system: System,
) -> None:
    address = elsewhere()
    owner = await signed_up(system, address)
    asked = attempt(username=owner.username, address=address)
    attempts, now_ms = system.apps["auth"][ATTEMPTS], time.time_ns() // 10**6
    for _ in range(3):
        assert [await attempts.shared(asked, now_ms=now_ms) for _ in range(PAIR.free + 1)] == [0] * PAIR.free + [1_000]
        await attempts.succeeded(Counted(attempt=asked, here=False))
    for _ in range(3 * PAIR.free):
        assert await attempts.shared(asked, now_ms=now_ms) == 0
        await attempts.withdrawn(Counted(attempt=asked, here=False))


async def test_an_account_knows_its_latest_addresses_and_everything_kept_has_a_time_to_live(system: System) -> None:
    owner = await signed_up(system, elsewhere())
    redis: Any = system.apps["auth"][REDIS]
    for _ in range(KNOWN_MAX + 3):
        await system.apps["auth"][ATTEMPTS].signed_up(attempt(username=owner.username, address=elsewhere()))
    await failed(system, owner.username, elsewhere(), 1)

    keys = [key async for key in redis.scan_iter(match="login:*")]
    assert len(keys) >= 4
    assert all([await redis.ttl(key) > 0 for key in keys])
    known = [key for key in keys if key.startswith(b"login:addresses:")]
    assert [await redis.zcard(key) for key in known] == [KNOWN_MAX]


async def test_without_redis_guesses_are_still_limited_and_owners_log_in(running: Running, servers: Any) -> None:
    stores = servers.stores(Component.AUTH)
    nowhere = msgspec.structs.replace(stores, redis=settings.Redis(host="127.0.0.1", port=1, pool_size_max=32))
    async with running(Component.AUTH, stores={"auth": nowhere}) as system:
        owner, attacker = await signed_up(system, elsewhere()), elsewhere()
        await limited(system, owner.username, attacker)
        assert (await login(system, owner.username, PASSWORD, elsewhere())).status == 200


async def test_three_hundred_guesses_at_once_leave_other_people_and_other_operations_alone(system: System) -> None:
    home, attacker = elsewhere(), elsewhere()
    owner = await signed_up(system, home)
    names = [f"victim.{each}" for each in range(300)]  # each for the first time, so that none is limited by its account

    burst = asyncio.gather(*(login(system, each, "some guess", attacker) for each in names))
    others = []
    while len(others) < 5 or not burst.done():
        reading = await system.call("user.read", user=owner, user_id=owner.id)
        others.append((reading.status, (await login(system, owner.username, PASSWORD, home)).status))
    answers = await burst

    assert set(others) == {(200, 200)}
    assert {each.status for each in answers} <= {401, 429, 503, 504}
    assert all(int(each.headers["Retry-After"]) >= 1 for each in answers if each.status in (429, 503))
    # one address may guess no more often than this, and then waits
    assert sum(each.status == 401 for each in answers) <= 3 * ADDRESS.free


@pytest.mark.parametrize("seed", range(5))
async def test_redis_and_this_process_count_alike(system: System, seed: int) -> None:
    attempts, local = system.apps["auth"][ATTEMPTS], LocalAttempts()
    rng = random.Random(seed)
    accounts, addresses = [f"a{seed}.{each}" for each in range(2)], [elsewhere() for _ in range(3)]
    now_ms, refused = 10**12, 0
    for step in range(150):
        now_ms += rng.choice((0, 10, 500, 2_000, 30_000))
        asked = attempt(username=rng.choice(accounts), address=rng.choice(addresses))
        wait = await attempts.shared(asked, now_ms=now_ms)
        assert wait == local.begin(asked, now_ms=now_ms), (seed, step)
        refused += wait > 0
    assert 20 < refused < 140, seed


def test_waits_double_from_the_allowance_on_up_to_a_maximum() -> None:
    assert [PAIR.wait_seconds(count) for count in range(9)] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert {PAIR.wait_seconds(count) for count in (15, 100, 10**9)} == {PAIR.wait_seconds_max}
    for allowance in (KNOWN_PAIR, PAIR, STRICT_PAIR, ADDRESS):
        table = allowance.table()
        assert table == tuple(allowance.wait_seconds(count) for count in range(len(table)))
        assert table[-1] == allowance.wait_seconds_max
        assert sorted(table) == list(table)


def test_a_known_address_is_judged_by_its_own_failures_alone() -> None:
    many = FailedLogins(count=1_000, at_ms=1_000)
    none = FailedLogins()
    assert wait_ms(known=True, pair=none, address=many, account=many, now_ms=1_000) == 0
    assert wait_ms(known=False, pair=none, address=none, account=many, now_ms=1_000) == 0
    assert wait_ms(known=True, pair=many, address=none, account=none, now_ms=1_000) == 60_000
    assert wait_ms(known=False, pair=none, address=many, account=none, now_ms=1_500) == 59_500


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("not an address", ""),
        ("", ""),
    ],
)
def test_an_address_counts_with_its_network(address: str, expected: str) -> None:
    assert network(address) == expected
