"""Limits and waits that the services keep and the model assumes: one constant for both."""

from __future__ import annotations

from typing import Final

#: Requests in progress in one instance of a component; more are refused at once.
REQUESTS_UNDER_WAY_MAX: Final = 512
#: Events that a consumer takes from the log at once.
CONSUMER_RECORDS_MAX: Final = 500
#: Time without a heartbeat after which a consumer group removes a member.
CONSUMER_SESSION_SECONDS: Final = 10.0
#: How long a story tray waits for Redis before it is read from PostgreSQL.
TRAY_CACHE_SECONDS: Final = 0.1
#: How long a like waits for its counter in Redis before it is acknowledged anyway.
LIKE_COUNT_SECONDS: Final = 0.1
#: Mean bytes per pixel of a JPEG of quality 85, for photos with sensor noise (0.1–0.3 were measured).
JPEG_BYTES_PER_PIXEL: Final = 0.18
#: Searches that one instance of search does at once, in threads; others wait.
SEARCHES_AT_ONCE: Final = 2
#: How often a relay asks which events every consumer group has handled, and deletes them from the outbox.
OUTBOX_ASK_SECONDS: Final = 1.0
#: Within which an event is deleted from the outbox once it was handled.
OUTBOX_HANDLED_SECONDS: Final = 3.0
