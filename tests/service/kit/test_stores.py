"""PostgreSQL shards and Redis clients, with real servers."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from aiokafka import errors as kafka_errors
from psycopg import sql
from redis import exceptions as redis_errors

from core import ids, settings
from core.failures import DeadlineExceeded, Failure, Overloaded, StorageFull, Unavailable
from core.names import Component
from core.policies.shard import physical_of, schema_of
from services.kit.stores import redis as redis_store
from services.kit.stores import timelines, translated
from services.kit.stores.people import people
from services.kit.stores.postgres import Connection, Shards, schema
from tests.conftest import Servers
from tests.service.waiting import until

TABLES = "CREATE TABLE IF NOT EXISTS {s}.kit_things (id bigint PRIMARY KEY, text text NOT NULL);"


@pytest.fixture(scope="module")
async def shards(servers: Any) -> AsyncIterator[Shards]:
    """The shards, with a table of this test's."""
    opened = Shards(servers.stores(Component.POSTS).postgres, component="kit-test")
    await opened.open()
    await opened.create(TABLES)
    yield opened
    await opened.close()


async def test_a_shard_is_the_schema_and_on_the_instance_that_the_policy_says(shards: Shards, servers: Servers) -> None:
    async def where(connection: Connection, shard: int) -> tuple[int, bool]:
        cursor = await connection.execute(
            "SELECT current_setting('port')::int, to_regclass(%s) IS NOT NULL", (f"{schema_of(shard)}.kit_things",)
        )
        row = await cursor.fetchone()
        assert row is not None
        return row[0], row[1]

    found = await shards.for_each_shard(where)

    assert sorted(found) == list(range(16))
    assert all(exists for _, exists in found.values())
    ports = [int(psycopg.conninfo.conninfo_to_dict(dsn)["port"] or 0) for dsn in servers.running.postgres]
    assert {shard: port for shard, (port, _) in found.items()} == {s: ports[physical_of(s, 2)] for s in range(16)}


async def test_several_processes_may_create_the_tables_at_once(shards: Shards, servers: Any) -> None:
    others = [Shards(servers.stores(Component.POSTS).postgres, component=f"kit-{number}") for number in range(4)]
    await asyncio.gather(*(other.open() for other in others))
    tables = TABLES.replace("kit_things", "kit_created_by_many")

    await asyncio.gather(*(other.create(tables) for other in others))

    async def rows(connection: Connection, shard: int) -> int:
        cursor = await connection.execute(f"SELECT count(*) FROM {schema(shard)}.kit_created_by_many")
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    assert await shards.for_each_shard(rows) == dict.fromkeys(range(16), 0)
    await asyncio.gather(*(other.close() for other in others))


async def test_a_transaction_is_whole_and_acts_after_commit_only(shards: Shards) -> None:
    acted: list[str] = []
    async with shards.transaction(3) as connection:
        await connection.execute("INSERT INTO shard_3.kit_things VALUES (1, 'kept')")
        connection.after_commit.append(lambda: acted.append("kept"))
        assert acted == []
    with suppress(LookupError):
        async with shards.transaction(3) as connection:
            await connection.execute("INSERT INTO shard_3.kit_things VALUES (2, 'gone')")
            connection.after_commit.append(lambda: acted.append("gone"))
            raise LookupError

    async with shards.connection(3) as connection:
        cursor = await connection.execute("SELECT id FROM shard_3.kit_things")
        assert await cursor.fetchall() == [(1,)]
    assert acted == ["kept"]


async def test_a_slow_statement_is_ended_and_reported_as_a_deadline(servers: Any) -> None:
    own: settings.Postgres = servers.stores(Component.POSTS).postgres
    quick = Shards(
        settings.Postgres(dsns=own.dsns, logical_shards=16, pool_size_max=6, timeout_seconds=0.2),
        component="kit-quick",
    )
    await quick.open()
    try:
        with pytest.raises(DeadlineExceeded):
            async with quick.connection(0) as connection:
                await connection.execute("SELECT pg_sleep(20)")
        async with quick.connection(0) as connection:
            await connection.execute("SELECT 1")
    finally:
        await quick.close()


async def test_more_callers_than_connections_wait_in_a_bounded_queue(servers: Any) -> None:
    own: settings.Postgres = servers.stores(Component.POSTS).postgres
    small = Shards(
        settings.Postgres(dsns=own.dsns, logical_shards=16, pool_size_max=1, timeout_seconds=0.3),
        component="kit-small",
    )
    await small.open()

    async def ask() -> str:
        try:
            async with small.connection(0) as connection:
                await connection.execute("SELECT 1")
        except Failure as failure:
            return type(failure).__name__
        return "fine"

    try:
        async with small.connection(0):
            told_to = await asyncio.gather(*(ask() for _ in range(400)))
        assert set(told_to) == {Unavailable.__name__, Overloaded.__name__}
        assert await ask() == "fine"
    finally:
        await small.close()


async def test_after_the_server_dropped_every_connection_the_next_callers_are_served(shards: Shards) -> None:
    async def ask() -> bool:
        try:
            async with shards.connection(1) as connection:
                await connection.execute("SELECT 1")
        except Unavailable:
            return False
        return True

    assert all(await asyncio.gather(*(ask() for _ in range(12))))
    async with shards.on_instance(1) as connection:
        with pytest.raises(psycopg.OperationalError):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'windtunnel kit-test'"
                " ORDER BY pid = pg_backend_pid()"
            )

    await until(ask)
    assert all(await asyncio.gather(*(ask() for _ in range(12))))


async def test_a_missing_server_is_reported_at_once_on_start() -> None:
    nowhere = Shards(
        settings.Postgres(
            dsns=("host=127.0.0.1 port=1 user=nobody",), logical_shards=1, pool_size_max=6, timeout_seconds=0.2
        ),
        component="kit-nowhere",
    )

    with pytest.raises(Unavailable):
        await nowhere.open(timeout_seconds=0.5)


async def test_people_come_from_all_shards_in_one_call(shards: Shards) -> None:
    await shards.create(
        "CREATE TABLE IF NOT EXISTS {s}.users (id bigint PRIMARY KEY, username text NOT NULL UNIQUE,"
        " display_name text NOT NULL, password_hash text NOT NULL, created_ms bigint NOT NULL);"
    )
    wanted = [ids.compose(created_ms=ids.EPOCH_MS + 77, shard=shard, sequence=shard) for shard in range(16)]
    for number in wanted:
        async with shards.connection(ids.shard_of(number)) as connection:
            await connection.execute(
                f"INSERT INTO {schema(ids.shard_of(number))}.users VALUES (%s, %s, 'Name', '', 0)"
                " ON CONFLICT DO NOTHING",
                (number, f"kit.{number}"),
            )

    found = await people(shards, [*wanted, *wanted, ids.compose(created_ms=ids.EPOCH_MS, shard=1, sequence=0)])

    assert {number: person.username for number, person in found.items()} == {n: f"kit.{n}" for n in wanted}
    assert await people(shards, []) == {}


async def test_a_missing_redis_is_a_failure() -> None:
    client = redis_store.client(settings.Redis(host="127.0.0.1", port=1, pool_size_max=32, timeout_seconds=0.2))
    try:
        with pytest.raises(Unavailable):
            await timelines.read(client, "timeline:1", count=1)
    finally:
        await client.aclose()


async def test_a_caller_of_redis_that_is_cancelled_at_any_moment_does_not_continue(servers: Any) -> None:
    client = redis_store.client(servers.stores(Component.POSTS).redis)

    enough = asyncio.Event()

    async def ask_on() -> None:
        while not enough.is_set():
            await client.ping()

    for turns in range(60):  # loop iterations before the cancellation, so that it occurs at every await of the caller
        asking = asyncio.create_task(ask_on())
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait((asking,), timeout=5.0)
        enough.set()  # one that continued nevertheless ends now
        await asyncio.wait((asking,))
        enough.clear()
        assert asking.cancelled(), f"cancelled after {turns} turns"
    assert await client.ping()
    await client.aclose()


async def test_a_server_that_is_frozen_is_given_up_at_our_deadline_and_used_again_when_it_is_back(servers: Any) -> None:
    own = msgspec.structs.replace(servers.stores(Component.POSTS).postgres, timeout_seconds=0.5, pool_size_max=2)
    shards = Shards(own, component="kit-frozen")
    await shards.open()
    async with shards.on_instance(0) as connection:
        row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    os.kill(row[0], signal.SIGSTOP)  # the backend of the only connection
    try:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="does not answer"):
            async with shards.on_instance(0) as connection:
                await connection.execute("SELECT 1")
        assert time.monotonic() - began >= 0.5
        async with shards.on_instance(0) as connection:  # another connection: the frozen one was closed
            await connection.execute("SELECT 1")
    finally:
        os.kill(row[0], signal.SIGCONT)
        await shards.close()


@pytest.mark.alone
async def test_a_server_that_was_away_for_long_is_used_as_soon_as_it_is_back(servers: Any) -> None:
    shards = Shards(servers.stores(Component.FEED).postgres, component="kit-away")
    await shards.open()

    async def answers() -> bool:
        with suppress(Failure):
            async with shards.on_instance(0) as connection:
                await connection.execute("SELECT 1")
            return True
        return False

    assert await answers()
    with servers.broken("feed_postgres"):
        refused, end = 0, time.monotonic() + 8.0  # a pool that doubles its pauses waits for eight seconds more by then
        while time.monotonic() < end:
            assert not await answers()
            refused += 1
            await asyncio.sleep(0.2)
        assert refused > 1
    await until(answers, within_seconds=5.0)
    await shards.close()


async def test_a_caller_that_is_cancelled_as_it_gets_a_connection_does_not_continue(servers: Any) -> None:
    postgres = msgspec.structs.replace(servers.stores(Component.POSTS).postgres, pool_size_max=1)
    shards = Shards(postgres, component="kit-cancelled-waiting")
    await shards.open()
    try:
        for turns in range(30):  # loop iterations before the cancellation, so that it occurs at every await
            held, free = asyncio.Event(), asyncio.Event()
            holding = asyncio.create_task(_hold(shards, held, free))
            await held.wait()
            asking = asyncio.create_task(_hold(shards, asyncio.Event(), asyncio.Event()))
            await asyncio.sleep(0)
            free.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            async with asyncio.timeout(10):
                await asyncio.gather(holding, asking, return_exceptions=True)
            assert asking.cancelled(), f"cancelled after {turns} turns"
    finally:
        await shards.close()


async def _hold(shards: Shards, held: asyncio.Event, free: asyncio.Event) -> None:
    async with shards.on_instance(0):
        held.set()
        await free.wait()


async def test_a_caller_who_is_cancelled_is_not_held_by_a_frozen_server(servers: Any) -> None:
    shards = Shards(servers.stores(Component.POSTS).postgres, component="kit-cancelled")
    await shards.open()
    async with shards.on_instance(0) as connection:
        row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None

    async def ask() -> None:
        async with shards.on_instance(0) as connection:
            await connection.execute("SELECT 1")

    os.kill(row[0], signal.SIGSTOP)
    try:
        asking = asyncio.create_task(ask())
        await asyncio.sleep(0)
        done, _ = await asyncio.wait((asking,), timeout=0.2)
        assert not done
        asking.cancel()
        done, _ = await asyncio.wait((asking,), timeout=2.0)  # psycopg alone waits for 10 s
        assert done
        assert asking.cancelled()
    finally:
        os.kill(row[0], signal.SIGCONT)
        await shards.close()


def test_each_full_store_is_reported_as_full() -> None:
    full = (
        psycopg.errors.DiskFull(),
        redis_errors.OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'."),
        redis_errors.ResponseError("MISCONF Redis is configured to save RDB snapshots, but cannot"),
        kafka_errors.KafkaStorageError(),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    )
    for error in full:
        failure = translated(error)
        assert isinstance(failure, StorageFull), error
        assert (failure.status, failure.retryable, failure.retry_after_seconds) == (503, True, 10.0)


if os.geteuid() == 0:  # only root can mount

    @pytest.fixture
    def tiny_disk(data_folder: Path) -> Iterator[Path]:
        """A megabyte for PostgreSQL."""
        folder = data_folder / "tiny"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", str(folder)], check=True)
        shutil.chown(folder, "postgres")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)

    async def test_a_full_disk_of_postgresql_refuses_the_write_with_its_reason(
        servers: Any, shards: Shards, tiny_disk: Path
    ) -> None:
        try:
            with psycopg.connect(servers.running.postgres[0], autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE TABLESPACE tiny LOCATION {}").format(sql.Literal(str(tiny_disk))))
                connection.execute("CREATE TABLE tiny_things (text text) TABLESPACE tiny")
            with pytest.raises(StorageFull, match="The database has no space left"):
                async with shards.transaction(0) as connection_:
                    await connection_.execute(
                        "INSERT INTO public.tiny_things SELECT repeat(md5(n::text), 50) FROM generate_series(1, 9999) n"
                    )
            async with shards.connection(0) as connection_:  # the connection is usable
                await connection_.execute("SELECT 1")
        finally:
            with psycopg.connect(servers.running.postgres[0], autocommit=True) as connection:
                connection.execute("DROP TABLE IF EXISTS tiny_things")
                connection.execute("DROP TABLESPACE IF EXISTS tiny")


def test_a_log_that_cannot_be_written_fails_nothing() -> None:
    with Path("/dev/full").open("w") as full:
        program = (
            "from services.kit import logs; import structlog;"
            "logs.configure(level='info', process='test');"
            "[structlog.get_logger('x').info('request', number=number, text='x' * 900) for number in range(99)]"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert done.stderr == ""
    assert done.returncode == 0
