"""The public API as seeding uses it: bounded connections, retries while the server is overloaded, readable errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from core.names import IDEMPOTENCY_HEADER
from core.operations import API
from core.policies import retry
from loadtest import address
from loadtest.seed.pace import Pace

CONNECTIONS_MAX: Final = 64
_CONNECTIONS_FIRST: Final = 16  # enough for a stack on one core
_TIMEOUT_SECONDS: Final = 30.0
#: Answers that ask to try again later; each request may be repeated, because it is idempotent or carries a key.
_LATER: Final = frozenset({429, 502, 503, 504})
_PATIENCE: Final = retry.RetryPolicy(attempts=8, backoff_seconds=0.1, backoff_cap_seconds=3.0, budget_ratio=1.0)
_STATED_SECONDS_MAX: Final = 60.0

T = TypeVar("T")


class SeedError(Exception):
    """Seeding cannot continue; the message has the request and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the API."""

    status: int
    value: Any  # the body, decoded; None when it was empty


class Api:
    """Calls the API behind one gateway. Create it with `connected`."""

    def __init__(self, session: aiohttp.ClientSession, gateway: address.HttpAddress) -> None:
        self._session, self._pace = session, Pace(CONNECTIONS_MAX, begin_with=_CONNECTIONS_FIRST)
        self._many_addresses = ":" not in gateway.host  # IPv6 has one loopback address
        self._gateway = f"http://{gateway}{API}"

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: object = None,
        key: str = "",
        source: str = "",
        expected: frozenset[int] = frozenset({200, 201, 202, 204}),
    ) -> Reply:
        """One call, repeated while the server is overloaded; raises SeedError for a status not in ``expected``.

        With ``source`` it is sent from that address of this machine, over a connection of its own.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers[IDEMPOTENCY_HEADER] = key
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body)
        if source and self._many_addresses:
            connector = aiohttp.TCPConnector(local_addr=(source, 0), limit=1)
            async with aiohttp.ClientSession(connector=connector, timeout=self._session.timeout) as session:
                status, raw = await self._send(method, self._gateway + path, headers, data, session)
        else:
            status, raw = await self._send(method, self._gateway + path, headers, data, self._session)
        if status not in expected:
            raise SeedError(f"{method} {API}{path}: answered {status}: {raw[:300].decode('utf-8', 'replace')}")
        return Reply(status=status, value=msgspec.json.decode(raw) if raw else None)

    async def put_object(self, url: str, headers: dict[str, str], data: bytes) -> None:
        """Upload to a presigned URL; raises SeedError, or AddressError for a URL of another machine."""
        address.parse(url)
        status, raw = await self._send("PUT", url, {"Content-Type": "image/jpeg", **headers}, data, self._session)
        if status >= 300 and status != HTTPStatus.PRECONDITION_FAILED:  # 412: an earlier attempt has uploaded it
            raise SeedError(f"PUT to the object store: answered {status}: {raw[:300].decode('utf-8', 'replace')}")

    async def _send(
        self, method: str, url: str, headers: dict[str, str], data: bytes | None, session: aiohttp.ClientSession
    ) -> tuple[int, bytes]:
        last, stated = "", 0.0
        for attempt in range(1, _PATIENCE.attempts + 1):
            turn, refused = await self._pace.begin(), False
            try:
                # encoded=True: a presigned URL must arrive as it was signed
                request = session.request(method, URL(url, encoded=True), headers=headers, data=data)
                async with request as response:
                    raw = await response.read()
                if response.status not in _LATER:
                    return response.status, raw
                refused = True
                if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    stated = _stated_seconds(response.headers.get("Retry-After", ""))
                last = f"answered {response.status}: {raw[:200].decode('utf-8', 'replace')}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                last = f"{type(error).__name__}: {error}"
            finally:
                await self._pace.end(turn, refused=refused)
            await asyncio.sleep(max(stated, retry.backoff_seconds(_PATIENCE, attempt=attempt, uniform=0.999)))
        raise SeedError(f"{method} {url.split('?')[0]}: gave up after {_PATIENCE.attempts} attempts; the last {last}")


def _stated_seconds(retry_after: str) -> float:
    """How long the server says that it takes until what waits for background work is done; 0 for a usual refusal."""
    seconds = float(retry_after) if retry_after.isdecimal() else 0.0
    return min(seconds, _STATED_SECONDS_MAX) if seconds > 1.0 else 0.0


@asynccontextmanager
async def connected(gateway: address.HttpAddress) -> AsyncIterator[Api]:
    """The API behind ``gateway``."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX, use_dns_cache=True)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as session:
        yield Api(session, gateway)


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Do ``work`` on every item, ``at_once`` at a time; the first failure cancels the others and is raised."""
    todo = iter(items)

    async def worker() -> None:
        for item in todo:
            await work(item)

    tasks = [asyncio.ensure_future(worker()) for _ in range(at_once)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
