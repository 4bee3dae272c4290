"""Likes and comments in PostgreSQL, on the post's shard, and their counts also in Redis.

PostgreSQL is the source of truth: what is acknowledged has committed. A count has a version that grows with every
change, and Redis gets (count, version), so that late writes cannot restore an old count.

Readers in other services: counts are ``like_counts`` and ``comment_counts`` (no row is a count of 0).
"""

from typing import Final

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.likes (
    post_id bigint NOT NULL,
    user_id bigint NOT NULL,
    PRIMARY KEY (post_id, user_id)
);
CREATE INDEX IF NOT EXISTS likes_by_user ON {s}.likes (user_id, post_id DESC);
CREATE TABLE IF NOT EXISTS {s}.like_counts (
    post_id bigint PRIMARY KEY,
    count int NOT NULL,
    version int NOT NULL
);
CREATE TABLE IF NOT EXISTS {s}.comments (
    post_id bigint NOT NULL,
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (post_id, id)
);
CREATE TABLE IF NOT EXISTS {s}.comment_counts (
    post_id bigint PRIMARY KEY,
    count int NOT NULL,
    version int NOT NULL
);
"""
