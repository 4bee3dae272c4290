"""PostgreSQL: logical shards as schemas over physical instances, through bounded pools.

`core.policies.shard` decides which instance holds a shard, and in which schema. Connections are in autocommit mode;
`Shards.transaction` opens a transaction and, once it has committed, runs the callbacks in `Connection.after_commit`.
"""

from __future__ import annotations

import asyncio
import functools
import shutil
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import psycopg
from aiohttp import web
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, TooManyRequests

from core import settings
from core.failures import Failure, Unavailable
from core.policies.shard import physical_of, schema_of
from services.kit.cancellation import Cancellation
from services.kit.config import MEMBER, SETTINGS, required
from services.kit.metrics import METRICS, Metrics
from services.kit.stores import Unanswered, translated
from services.kit.stores.health import Health

R = TypeVar("R")

_WAITING_MAX: Final = 256  # requests that wait for a connection of one instance; more are refused
_START_SECONDS: Final = 20.0
#: Added to the server's statement time-out, which gives an error message; ours is for a server that does not answer.
_MARGIN_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 2.0 + _MARGIN_SECONDS
_LET_GO_SECONDS: Final = 0.25
_RECONNECT_SECONDS: Final = 0.5  # after which a pool that cannot connect leaves it to the next request to try again
_FREE_BYTES_MIN: Final = 16 * 2**20  # a segment of its WAL: with less free space PostgreSQL can go down
_INTERVAL_SECONDS: Final = 0.1  # how often psycopg wakes up while it waits
_PREPARED_MAX: Final = 512  # statement texts differ by schema: eight schemas of twenty statements, and a margin


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection with a deadline for each answer, and with callbacks after a commit.

    The server itself ends statements that take too long. A frozen server does not, and its kernel still acknowledges
    packets, so no socket option detects it: this deadline does. A connection that misses it is closed.
    """

    after_commit: list[Callable[[], None]]
    answer_seconds: float = _ANSWER_SECONDS

    async def wait(self, gen: PQGen[Any], interval: float = _INTERVAL_SECONDS, timeout: float | None = None) -> Any:
        """As in psycopg, with a deadline; raises Unanswered. A cancelled caller is held up only briefly."""
        try:
            return await waiting.wait_async(
                gen, self.pgconn.socket, interval, self.answer_seconds if timeout is None else timeout
            )
        except asyncio.CancelledError:
            await self._let_go(gen)
            raise
        except psycopg.errors._WaitTimeout as error:
            self.pgconn.finish()
            raise Unanswered(f"no answer within {self.answer_seconds:g} s") from error

    async def _let_go(self, gen: PQGen[Any]) -> None:
        """Cancel the statement, so that the connection can be used again; close it when that takes too long."""
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        try:
            async with asyncio.timeout(_LET_GO_SECONDS):
                await self.cancel_safe(timeout=_LET_GO_SECONDS)
                await waiting.wait_async(gen, self.pgconn.socket, _INTERVAL_SECONDS, _LET_GO_SECONDS)
        except psycopg.errors.QueryCanceled:
            return
        except (TimeoutError, psycopg.Error, asyncio.CancelledError):
            self.pgconn.finish()


#: Name of the schema that holds a shard: `core.policies.shard.schema_of`.
schema: Final = functools.cache(schema_of)


class Shards:
    """All shards of one component; ``disk`` is a folder on the servers' disk, if that is known.

    Requests for an instance that is known to be down are refused at once (`services.kit.stores.health`).
    """

    def __init__(
        self, postgres_settings: settings.Postgres, *, component: str, disk: str = "", metrics: Metrics | None = None
    ):
        self._disk = disk
        self.count = postgres_settings.logical_shards
        self.instances = len(postgres_settings.dsns)
        self._dsns = postgres_settings.dsns
        self._answer_seconds = postgres_settings.timeout_seconds + _MARGIN_SECONDS
        self._kwargs: dict[str, Any] = {
            "autocommit": True,
            "connect_timeout": max(2, round(postgres_settings.timeout_seconds)),
            "application_name": f"windtunnel {component}",
            "options": f"-c statement_timeout={round(postgres_settings.timeout_seconds * 1000)}"
            " -c client_min_messages=warning -c idle_in_transaction_session_timeout=30000",
        }
        self._pools = tuple(
            AsyncConnectionPool(
                conninfo=dsn,
                connection_class=Connection,
                kwargs=self._kwargs,
                configure=self._configure,
                min_size=1,
                max_size=postgres_settings.pool_size_max,
                max_waiting=_WAITING_MAX,
                timeout=postgres_settings.timeout_seconds,
                open=False,
                name=f"{component}-{index}",
                num_workers=1,
            )
            for index, dsn in enumerate(postgres_settings.dsns)
        )
        self._health = tuple(
            Health(f"PostgreSQL instance {index}", functools.partial(self._probe, index), metrics=metrics)
            for index in range(self.instances)
        )

    async def _configure(self, connection: Connection) -> None:
        connection.prepared_max = _PREPARED_MAX
        connection.after_commit = []
        connection.answer_seconds = self._answer_seconds

    async def open(self, *, timeout_seconds: float = _START_SECONDS) -> None:
        """Connect to every instance; raises Unavailable when one does not answer in time."""
        try:
            await asyncio.gather(*(pool.open(wait=True, timeout=timeout_seconds) for pool in self._pools))
        except psycopg.Error as error:
            await self.close()
            raise (translated(error) or error) from error
        for pool in self._pools:
            # its own pauses double up to minutes, even when the server is back; a request tries at once
            pool.reconnect_timeout = _RECONNECT_SECONDS

    async def close(self) -> None:
        """Close every connection."""
        for health in self._health:
            health.close()
        await asyncio.gather(*(pool.close(timeout=2.0) for pool in self._pools))

    def instance_of(self, shard: int) -> int:
        """Index of the instance that holds ``shard``."""
        if not 0 <= shard < self.count:
            raise ValueError(f"there is no shard {shard}")
        return physical_of(shard, self.instances)

    def by_instance(self, shards: Iterable[int] | None = None) -> dict[int, list[int]]:
        """Shards (all, or those given) by the instance that holds them, so that one round trip serves many."""
        grouped: dict[int, list[int]] = {}
        for shard in range(self.count) if shards is None else sorted(set(shards)):
            grouped.setdefault(self.instance_of(shard), []).append(shard)
        return grouped

    @asynccontextmanager
    async def on_instance(self, index: int) -> AsyncIterator[Connection]:
        """A connection to instance ``index`` in autocommit; raises Unavailable, Overloaded, DeadlineExceeded."""
        health = self._health[index]
        self._admit(health)
        cancellation = Cancellation()
        try:
            async with self._pools[index].connection() as connection:
                if cancellation.came:  # just as the pool had a connection for it
                    raise asyncio.CancelledError
                yield connection
        except psycopg.Error as error:
            failure = self._failure(error)
            if failure is None:
                raise
            if isinstance(error, Unanswered):
                health.failed()
            elif isinstance(error, psycopg.OperationalError) and not isinstance(error, _NOT_THE_SERVER):
                health.suspect()
            raise failure from error
        except asyncio.CancelledError:  # a request's own deadline may be shorter than ours
            health.suspect()
            raise
        health.succeeded()

    def _admit(self, health: Health) -> None:
        try:
            health.admit()
        except Unavailable as failure:
            raise self._for_reason(failure) from None

    def _failure(self, error: psycopg.Error) -> Failure | None:
        failure = translated(error)
        return self._for_reason(failure) if isinstance(failure, Unavailable) else failure

    def _for_reason(self, failure: Unavailable) -> Unavailable:
        """The failure, or the reason for it if the server is down because its disk is full."""
        if self._disk:
            with suppress(OSError):
                if shutil.disk_usage(self._disk).free < _FREE_BYTES_MIN:
                    return Unavailable("The database is down: its disk is full", retry_after_seconds=10.0)
        return failure

    async def _probe(self, index: int) -> None:
        """Connect, and drop connections that died with the server before requests get them."""
        try:
            connection = await Connection.connect(self._dsns[index], **self._kwargs)
            await connection.close()
            await self._pools[index].check()
        except psycopg.Error as error:
            raise (translated(error) or error) from error

    @asynccontextmanager
    async def dedicated(self, index: int) -> AsyncIterator[Connection]:
        """A connection to instance ``index`` outside the pool, for work that never ends; raises as `on_instance`."""
        try:
            connection = await Connection.connect(self._dsns[index], **self._kwargs)
            try:
                await self._configure(connection)
                yield connection
            finally:
                await connection.close()
        except psycopg.Error as error:
            failure = translated(error)
            if failure is None:
                raise
            raise failure from error

    def connection(self, shard: int) -> Any:
        """``async with shards.connection(shard) as connection``: autocommit, to the instance of ``shard``."""
        return self.on_instance(self.instance_of(shard))

    @asynccontextmanager
    async def transaction(self, shard: int) -> AsyncIterator[Connection]:
        """A transaction on the instance of ``shard``: committed at the end, rolled back on any exception."""
        async with self.on_instance(self.instance_of(shard)) as connection:
            connection.after_commit = []
            async with connection.transaction():
                yield connection
            for act in connection.after_commit:
                act()

    async def for_each_shard(
        self, act: Callable[[Connection, int], Awaitable[R]], shards: Iterable[int] | None = None
    ) -> dict[int, R]:
        """Do ``act(connection, shard)`` on all shards or those given: instances concurrently, shards in turn."""

        async def on(index: int, mine: list[int]) -> dict[int, R]:
            async with self.on_instance(index) as connection:
                return {shard: await act(connection, shard) for shard in mine}

        results = await asyncio.gather(*(on(index, mine) for index, mine in self.by_instance(shards).items()))
        return {shard: result for part in results for shard, result in part.items()}

    async def create(self, tables: str) -> None:
        """Run ``tables`` (``CREATE … IF NOT EXISTS`` with ``{s}`` for the schema) for every shard, one batch each.

        Several processes start at once; an advisory lock lets one create while the others wait.
        """

        async def on(index: int, mine: list[int]) -> None:
            text = "".join(
                f"CREATE SCHEMA IF NOT EXISTS {schema(shard)};\n{tables.replace('{s}', schema(shard))};\n"
                for shard in mine
            )
            async with self.on_instance(index) as connection, self._patient(connection), connection.transaction():
                await connection.execute(f"SET LOCAL statement_timeout = {round(_START_SECONDS * 1000)}")
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (zlib.crc32(b"windtunnel tables"),))
                await connection.execute(text)

        await asyncio.gather(*(on(index, mine) for index, mine in self.by_instance().items()))

    @asynccontextmanager
    async def _patient(self, connection: Connection) -> AsyncIterator[None]:
        """Wait as long as a start may take: other processes create the same tables."""
        connection.answer_seconds = _START_SECONDS + _MARGIN_SECONDS
        try:
            yield
        finally:
            connection.answer_seconds = self._answer_seconds


#: Errors of one statement or of a full pool, which say nothing about the server. A PoolTimeout is not one of these: a
#: pool whose connections are dead has none to give.
_NOT_THE_SERVER: Final = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    TooManyRequests,
    PoolClosed,
)

SHARDS: Final = web.AppKey("SHARDS", Shards)


def use(app: web.Application, *, tables: str = "") -> Shards:
    """Add the shards to the application; they are opened, and ``tables`` created, at start. Use once, in `build`."""
    member = app[MEMBER]
    shards = Shards(
        required(member.stores.postgres, "PostgreSQL", member.component),
        component=member.component,
        disk=app[SETTINGS].data_directory,
        metrics=app[METRICS],
    )
    app[SHARDS] = shards

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        await shards.open()
        try:
            if tables:
                await shards.create(tables)
            yield
        finally:
            await shards.close()

    app.cleanup_ctx.append(opened)
    return shards
