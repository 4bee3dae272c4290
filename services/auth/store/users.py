"""Users in PostgreSQL, on the shard that their name hashes to, so that a login needs no directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.ids import shard_of_name
from core.messages import UserCreated
from services.kit.outbox import Outbox
from services.kit.stores.postgres import Shards, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.users (
    id bigint PRIMARY KEY,
    username text NOT NULL UNIQUE,
    display_name text NOT NULL,
    password_hash text NOT NULL,
    created_ms bigint NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAccount:
    """One account; ``username`` is in lower case."""

    id: int
    username: str
    display_name: str
    password_hash: str
    created_ms: int


class Users:
    """All accounts."""

    def __init__(self, shards: Shards, outbox: Outbox):
        self._shards, self._outbox = shards, outbox

    def shard_of(self, username: str) -> int:
        """Shard that holds the account of this name."""
        return shard_of_name(username, self._shards.count)

    async def create(self, user: UserAccount, event: UserCreated) -> bool:
        """Write the account and its event; False when the name is taken."""
        shard = self.shard_of(user.username)
        async with self._shards.transaction(shard) as connection:
            cursor = await connection.execute(
                f"INSERT INTO {schema(shard)}.users (id, username, display_name, password_hash, created_ms)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (username) DO NOTHING RETURNING 1",
                (user.id, user.username, user.display_name, user.password_hash, user.created_ms),
            )
            if await cursor.fetchone() is None:
                return False
            await self._outbox.add(connection, shard, event)
        return True

    async def named(self, username: str) -> UserAccount | None:
        """The account of this name."""
        shard = self.shard_of(username)
        async with self._shards.connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT id, username, display_name, password_hash, created_ms FROM {schema(shard)}.users"
                " WHERE username = %s",
                (username,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        return UserAccount(id=row[0], username=row[1], display_name=row[2], password_hash=row[3], created_ms=row[4])
