"""Failed logins: in Redis for all processes, each key with a time to live; in this process while Redis is away.

The script decides like `services.auth.rules.attempts.wait_ms`, from the same tables of waits, and counts in the same
step, so that a burst of guesses cannot pass between check and count.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from core.failures import Failure, Limited
from core.names import Key
from services.auth.rules import attempts as rules
from services.auth.rules.attempts import Attempt, FailedLogins
from services.kit.guard import Guard
from services.kit.stores.redis import reaching

_LOCAL_MAX: Final = 10_000  # accounts, addresses and pairs of both that are counted while Redis is away
_log = structlog.get_logger("logins")

#: KEYS: addresses known to the account, failures of pair, address and account. ARGV: the address, seconds to keep
#: failures, failures from which on an account is watched, the tables of waits; for tests the time; the table of known
#: pairs. Returns milliseconds.
_BEGIN: Final = """
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
local now = tonumber(ARGV[7])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local function failures(key)
    local kept = redis.call('HMGET', key, 'count', 'at')
    return tonumber(kept[1] or 0), tonumber(kept[2] or 0)
end
local function left(key, csv)
    local count, at = failures(key)
    if count <= 0 then return 0 end
    local waits = {}
    for wait in string.gmatch(csv, '%d+') do waits[#waits + 1] = tonumber(wait) end
    return math.max(0, at + 1000 * waits[math.min(count + 1, #waits)] - now)
end
local watched = not known and failures(KEYS[4]) >= tonumber(ARGV[3])
local wait
if known then wait = left(KEYS[2], ARGV[8])
else wait = math.max(left(KEYS[2], watched and ARGV[5] or ARGV[4]), left(KEYS[3], ARGV[6])) end
if wait > 0 then return wait end
for place = 2, known and 2 or 4 do
    redis.call('HINCRBY', KEYS[place], 'count', 1)
    redis.call('HSET', KEYS[place], 'at', string.format('%.0f', now))
    redis.call('EXPIRE', KEYS[place], ARGV[2])
end
return 0
"""
#: KEYS as above. ARGV: the address. Takes back the attempt's counts.
_TAKE_BACK: Final = """
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
for place = 2, known and 2 or 4 do
    local count = tonumber(redis.call('HGET', KEYS[place], 'count') or 0)
    if count > 1 then redis.call('HINCRBY', KEYS[place], 'count', -1)
    elseif count == 1 then redis.call('DEL', KEYS[place]) end
end
"""
#: KEYS as above. ARGV: the address, seconds and number of known addresses to keep. Clears the pair's failures and makes
#: the address known.
_KNOW: Final = """
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -(tonumber(ARGV[3]) + 1))
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An attempt that was counted as failed; ``here``: in this process, because Redis was away."""

    attempt: Attempt
    here: bool


def _keys(attempt: Attempt) -> list[str]:
    failed = Key.LOGIN_FAILURES
    return [
        Key.LOGIN_ADDRESSES.format(account=attempt.account),
        failed.format(subject=f"{attempt.account}:{attempt.address}"),
        failed.format(subject=f"address:{attempt.address}"),
        failed.format(subject=f"account:{attempt.account}"),
    ]


def _csv(allowance: rules.Allowance) -> str:
    return ",".join(map(str, allowance.table()))


class Attempts:
    """Counts logins in progress and failed ones."""

    def __init__(self, redis: Redis, guard: Guard, now_ms: Callable[[], int]):
        self._redis, self._guard, self._now_ms = redis, guard, now_ms
        self._local = LocalAttempts()

    async def begin(self, attempt: Attempt) -> Counted:
        """Count an attempt; raises Limited when too many failed, whether or not the account exists."""
        here = False
        try:
            wait_ms = await self._guard.call(lambda: self.shared(attempt))
        except Failure as failure:
            _log.info("attempts_counted_here", error=str(failure))
            here = True
            wait_ms = self._local.begin(attempt, now_ms=self._now_ms())
        if wait_ms > 0:
            raise Limited("Too many failed logins; try again later", retry_after_seconds=wait_ms / 1000)
        return Counted(attempt=attempt, here=here)

    async def shared(self, attempt: Attempt, *, now_ms: int = 0) -> int:
        """Milliseconds to wait by the count in Redis, or 0 when the attempt was counted."""
        tables = [_csv(each) for each in (rules.PAIR, rules.STRICT_PAIR, rules.ADDRESS)]
        limits: list[str | int] = [rules.KEPT_SECONDS, rules.WATCHED_FAILURES, *tables, now_ms, _csv(rules.KNOWN_PAIR)]
        with reaching():
            answered: Any = await self._eval(_BEGIN, attempt, attempt.address, *limits)
        return int(answered)

    async def succeeded(self, counted: Counted) -> None:
        """Forget an attempt with the right password and the pair's failures; the address is known from now on."""
        if counted.here:
            self._local.take_back(counted.attempt)
            self._local.forget(counted.attempt)
        else:
            await self._run(counted.attempt, _TAKE_BACK, _KNOW)

    async def withdrawn(self, counted: Counted) -> None:
        """Forget an attempt whose password was not checked."""
        if counted.here:
            self._local.take_back(counted.attempt)
        else:
            await self._run(counted.attempt, _TAKE_BACK)

    async def signed_up(self, attempt: Attempt) -> None:
        """Make the address known to the new account."""
        await self._run(attempt, _KNOW)

    async def _run(self, attempt: Attempt, *scripts: str) -> None:
        async def act() -> None:
            with reaching():
                for script in scripts:
                    await self._eval(script, attempt, attempt.address, rules.KNOWN_SECONDS, rules.KNOWN_MAX)

        try:
            await self._guard.call(act)
        except Failure as failure:
            _log.info("attempt_not_forgiven", error=str(failure))

    def _eval(self, script: str, attempt: Attempt, *arguments: str | int) -> Awaitable[Any]:
        keys = _keys(attempt)
        evaluating: Awaitable[Any] = self._redis.eval(script, len(keys), *keys, *arguments)
        return evaluating


class LocalAttempts:
    """The same in memory, for the latest `_LOCAL_MAX` keys; no address is known here."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, FailedLogins] = OrderedDict()

    def begin(self, attempt: Attempt, *, now_ms: int) -> int:
        """Milliseconds to wait; 0 when the attempt was counted."""
        _, *keys = _keys(attempt)
        pair, address, account = (self._kept(key, now_ms) for key in keys)
        wait_ms = rules.wait_ms(known=False, pair=pair, address=address, account=account, now_ms=now_ms)
        if wait_ms == 0:
            for key, before in zip(keys, (pair, address, account), strict=True):
                self._failures.pop(key, None)
                self._failures[key] = FailedLogins(count=before.count + 1, at_ms=now_ms)
            while len(self._failures) > _LOCAL_MAX:
                self._failures.popitem(last=False)
        return wait_ms

    def _kept(self, key: str, now_ms: int) -> FailedLogins:
        failures = self._failures.get(key, FailedLogins())
        return failures if now_ms - failures.at_ms < 1000 * rules.KEPT_SECONDS else FailedLogins()

    def take_back(self, attempt: Attempt) -> None:
        """Take back one count of the attempt."""
        for key in _keys(attempt)[1:]:
            failures = self._failures.get(key)
            if failures is not None:
                self._failures[key] = FailedLogins(count=max(0, failures.count - 1), at_ms=failures.at_ms)

    def forget(self, attempt: Attempt) -> None:
        """Clear the pair's failures."""
        self._failures.pop(_keys(attempt)[1], None)
