"""`Idempotency-Key`: the first response is kept with its write, and is replayed for 24 hours.

The key's row is inserted first, in the same transaction as the write. A second request with the key waits on that row
until the first has committed (then it replays) or rolled back (then it becomes the first): the database does the
queueing, and a crash leaves neither row nor write.

A write whose path determines the shard first claims the key on its caller's shard (`claimed`). Otherwise one key used
for two posts would count as one request or as two, depending on the posts' shards.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import psycopg
from aiohttp import web

from core import ids
from core.failures import Conflict, Failure, Invalid, KeyReused
from core.names import IDEMPOTENCY_HEADER, REPLAYED_HEADER
from services.kit.answers import JSON
from services.kit.config import SETTINGS
from services.kit.routing import CALL, viewer
from services.kit.stores.postgres import Connection, Shards, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.idempotency (
    user_id bigint NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status int,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, operation, key)
);
CREATE INDEX IF NOT EXISTS idempotency_created_at ON {s}.idempotency (created_at);
CREATE TABLE IF NOT EXISTS {s}.idempotency_claims (
    user_id bigint NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, operation, key)
);
CREATE INDEX IF NOT EXISTS idempotency_claims_created_at ON {s}.idempotency_claims (created_at);
"""
KEPT_HOURS: Final = 24
KEY_CHARACTERS_MAX: Final = 255
REPLAYED: Final = {REPLAYED_HEADER: "true"}  # header of a replayed answer
_SWEEP_MAX: Final = 100  # expired keys that are deleted with each new key
_WAIT_SECONDS: Final = 1.0  # how long a repeat waits for the first request; it holds a connection meanwhile
_EXPIRED: Final = f"created_at < now() - interval '{KEPT_HOURS} hours'"
#: Replaces the media URL in stored answers, since it may change with each start of a stack.
_MEDIA_HOST: Final = b'"url":"@/'


def _key_of(request: web.Request) -> str | None:
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and not (1 <= len(key) <= KEY_CHARACTERS_MAX and key.isascii() and key.isprintable()):
        raise Invalid.field(IDEMPOTENCY_HEADER, f"expected 1 to {KEY_CHARACTERS_MAX} printable ASCII characters")
    return key


async def _fingerprint(request: web.Request) -> bytes:
    return hashlib.sha256(f"{request.method} {request.path}\0".encode() + await request.read()).digest()


def _media_host(request: web.Request) -> bytes:
    # quotes within texts are escaped, so nothing but an address of a photo can match
    return b'"url":"%s/' % request.app[SETTINGS].media_url.rstrip("/").encode()


async def begin(request: web.Request, connection: Connection, shard: int) -> web.Response | None:
    """Claim the request's key in the open transaction; returns the first answer when there is one.

    None: continue with the write (also when the request has no key). Raises KeyReused when the key was used with
    another body or path, Conflict while the first request with it is in progress.
    """
    key = _key_of(request)
    if key is None:
        return None
    user_id, operation = viewer(request), request[CALL].operation.name
    fingerprint = await _fingerprint(request)
    table = f"{schema(shard)}.idempotency"
    await connection.execute(
        f"WITH swept AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"
        f" WHERE {_EXPIRED} LIMIT {_SWEEP_MAX} FOR UPDATE SKIP LOCKED)))"
        f" SELECT set_config('lock_timeout', '{round(_WAIT_SECONDS * 1000)}ms', true)"
    )
    try:
        cursor = await connection.execute(
            f"INSERT INTO {table} (user_id, operation, key, fingerprint) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            (user_id, operation, key, fingerprint),
        )
        if await cursor.fetchone():
            return None
        cursor = await connection.execute(
            f"SELECT fingerprint, status, answer FROM {table} WHERE user_id = %s AND operation = %s AND key = %s"
            " FOR UPDATE",  # so that repeats of one request run one after another
            (user_id, operation, key),
        )
    except psycopg.errors.LockNotAvailable as error:
        raise _under_way() from error
    row = await cursor.fetchone()
    if row is None or row[1] is None:
        raise _under_way()
    if row[0] != fingerprint:
        raise _reused()
    body = row[2].replace(_MEDIA_HOST, _media_host(request))
    return web.Response(body=body, status=row[1], content_type=JSON, headers=REPLAYED)


async def finish(request: web.Request, connection: Connection, shard: int, response: web.Response) -> web.Response:
    """Keep ``response`` as the key's answer, in the same transaction as the write; returns it."""
    key = _key_of(request)
    if key is not None:
        assert isinstance(response.body, bytes)
        await connection.execute(
            f"UPDATE {schema(shard)}.idempotency SET status = %s, answer = %s"
            " WHERE user_id = %s AND operation = %s AND key = %s",
            (
                response.status,
                response.body.replace(_media_host(request), _MEDIA_HOST),
                viewer(request),
                request[CALL].operation.name,
                key,
            ),
        )
    return response


@asynccontextmanager
async def claimed(request: web.Request, shards: Shards) -> AsyncIterator[None]:
    """Claim the request's key on its caller's shard while the block writes elsewhere; does nothing without a key.

    Raises KeyReused when the key was used with another body or path. A block that refuses the request frees the key;
    after any other failure the write may have happened, so the key stays claimed for a repeat of this request.
    """
    key = _key_of(request)
    if key is None:
        yield
        return
    user_id, operation = viewer(request), request[CALL].operation.name
    fingerprint = await _fingerprint(request)
    shard = ids.shard_of(user_id)
    table = f"{schema(shard)}.idempotency_claims"
    own = (user_id, operation, key)

    async def claim() -> bool:
        """Claim the key; False when an earlier request with the same body has claimed it."""
        async with shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"WITH swept AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {_EXPIRED}"
                f" AND (user_id, operation, key) <> (%s, %s, %s) LIMIT {_SWEEP_MAX} FOR UPDATE SKIP LOCKED)))"
                f" INSERT INTO {table} AS c (user_id, operation, key, fingerprint) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (user_id, operation, key) DO UPDATE SET"
                f" fingerprint = CASE WHEN c.{_EXPIRED} THEN excluded.fingerprint ELSE c.fingerprint END,"
                f" created_at = CASE WHEN c.{_EXPIRED} THEN excluded.created_at ELSE c.created_at END"
                " RETURNING fingerprint, xmax = 0",
                (*own, *own, fingerprint),
            )
            row = await cursor.fetchone()
        assert row is not None
        if row[0] != fingerprint:
            raise _reused()
        return bool(row[1])

    first = await claim()
    try:
        yield
    except Failure as failure:
        if failure.status < 500 and first:
            with suppress(Failure):
                async with shards.connection(shard) as connection:
                    await connection.execute(
                        f"DELETE FROM {table} WHERE user_id = %s AND operation = %s AND key = %s AND fingerprint = %s",
                        (*own, fingerprint),
                    )
        raise
    if not first:  # the first may have been refused meanwhile, and freed the key that this request has used
        with suppress(Failure):
            await claim()


def _under_way() -> Conflict:
    return Conflict(f"{IDEMPOTENCY_HEADER}: the first request with this key is in progress", retry_after_seconds=1.0)


def _reused() -> KeyReused:
    return KeyReused.field(IDEMPOTENCY_HEADER, "this key was used with another request")
