"""`Idempotency-Key`: the first answer is kept with the write it belongs to, and is given again for 24 hours.

The key's row is inserted first, in the same transaction as the write. A second request with the key waits on that row
until the first has committed (then it replays) or rolled back (then it is the first itself): the database does the
queueing, and a crash leaves neither row nor write.
"""

from __future__ import annotations

import hashlib
from typing import Final

from aiohttp import web

from core.failures import Conflict, Invalid
from core.names import IDEMPOTENCY_HEADER
from services.kit.answers import JSON
from services.kit.routing import CALL, viewer
from services.kit.stores.postgres import Connection, schema

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
"""
KEPT_HOURS: Final = 24
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_SWEEP_MAX: Final = 100  # expired keys that one new key clears away


def _key_of(request: web.Request) -> str | None:
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise Invalid.field(IDEMPOTENCY_HEADER, "expected 1 to 255 printable ASCII characters")
    return key


async def begin(request: web.Request, connection: Connection, shard: int) -> web.Response | None:
    """Claim the request's key in the open transaction; returns the first answer when there is one.

    None: go on and write (also when the request has no key). Raises Conflict when the key was used with another body.
    """
    key = _key_of(request)
    if key is None:
        return None
    user_id, operation = viewer(request), request[CALL].operation.name
    fingerprint = hashlib.sha256(f"{request.method} {request.path}\0".encode() + await request.read()).digest()
    table = f"{schema(shard)}.idempotency"
    await connection.execute(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"
        f" WHERE created_at < now() - interval '{KEPT_HOURS} hours' LIMIT {_SWEEP_MAX} FOR UPDATE SKIP LOCKED))"
    )
    cursor = await connection.execute(
        f"INSERT INTO {table} (user_id, operation, key, fingerprint) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        (user_id, operation, key, fingerprint),
    )
    if await cursor.fetchone():
        return None
    cursor = await connection.execute(
        f"SELECT fingerprint, status, answer FROM {table} WHERE user_id = %s AND operation = %s AND key = %s",
        (user_id, operation, key),
    )
    row = await cursor.fetchone()
    if row is None or row[1] is None:
        raise Conflict(f"{IDEMPOTENCY_HEADER}: a request with this key is under way")
    if row[0] != fingerprint:
        raise Conflict(f"{IDEMPOTENCY_HEADER}: this key was used with another request")
    return web.Response(body=row[2], status=row[1], content_type=JSON, headers={REPLAYED_HEADER: "true"})


async def finish(request: web.Request, connection: Connection, shard: int, response: web.Response) -> web.Response:
    """Keep ``response`` as the key's answer, in the same transaction as the write; returns it."""
    key = _key_of(request)
    if key is not None:
        await connection.execute(
            f"UPDATE {schema(shard)}.idempotency SET status = %s, answer = %s"
            " WHERE user_id = %s AND operation = %s AND key = %s",
            (response.status, response.body, viewer(request), request[CALL].operation.name, key),
        )
    return response
