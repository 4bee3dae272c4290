"""The rows of posts, on their author's shard with the author, the photos and the counts: one round trip reads a page.

A deleted post has no row: whoever reads these tables cannot forget to look at a flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from core import ids
from core.messages import Variant
from services.kit.stores.postgres import Connection, schema

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.posts (
    id bigint PRIMARY KEY,
    author_id bigint NOT NULL,
    caption text NOT NULL,
    hashtags text[] NOT NULL,
    media_ids bigint[] NOT NULL
);
CREATE INDEX IF NOT EXISTS posts_by_author ON {s}.posts (author_id, id DESC);
CREATE TABLE IF NOT EXISTS {s}.post_media (
    media_id bigint NOT NULL,
    post_id bigint NOT NULL,
    PRIMARY KEY (media_id, post_id)
)
"""
