"""Stories in PostgreSQL, on their author's shard, and cached in Redis for the tray."""

from typing import Final

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {s}.stories (
    id bigint PRIMARY KEY,
    author_id bigint NOT NULL,
    media_id bigint NOT NULL,
    expires_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS stories_by_author ON {s}.stories (author_id, expires_ms);
CREATE TABLE IF NOT EXISTS {s}.stories_seen (
    viewer_id bigint NOT NULL,
    story_id bigint NOT NULL,
    expires_ms bigint NOT NULL,
    PRIMARY KEY (viewer_id, story_id)
);
"""
