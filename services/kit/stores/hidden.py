"""Hidden posts: one whose photos have all failed is visible to its author only, in every operation.

The tables are owned by other services, ``posts`` by posts and ``media`` by upload; both are on the post's shard. A
deleted post has no row.
"""

from __future__ import annotations

from core import ids
from services.kit.stores.postgres import Connection, schema


def seen_by(viewer: str, shard: int) -> str:
    """SQL condition that the post ``p`` is visible to ``viewer``, an expression such as a parameter."""
    return (
        f"(p.author_id = {viewer} OR EXISTS (SELECT 1 FROM {schema(shard)}.media m"
        " WHERE m.id = ANY(p.media_ids) AND m.state <> 'failed'))"
    )


async def is_there(connection: Connection, post_id: int, *, viewer_id: int) -> bool:
    """Whether the post exists and this viewer may see it."""
    shard = ids.shard_of(post_id)
    cursor = await connection.execute(
        f"SELECT 1 FROM {schema(shard)}.posts p WHERE p.id = %(post)s AND {seen_by('%(viewer)s', shard)}",
        {"post": post_id, "viewer": viewer_id},
    )
    return await cursor.fetchone() is not None
