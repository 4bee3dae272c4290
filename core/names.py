"""The names that more than one package uses.

The names of components, stores, topics, links and metrics are defined here once, and the services, the model, the load,
the drills and the dashboards import them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Component(StrEnum):
    """A service of ours: one folder under ``services/`` and one module under ``sim/model/components/``."""

    AUTH = "auth"
    GRAPH = "graph"
    UPLOAD = "upload"
    MEDIA = "media"
    POSTS = "posts"
    FANOUT = "fanout"
    FEED = "feed"
    ENGAGEMENT = "engagement"
    STORIES = "stories"
    SEARCH = "search"
    DISCOVERY = "discovery"
    ADS = "ads"


class Server(StrEnum):
    """A third-party server of the stack; instances are numbered where there are several (``postgres_0``)."""

    GATEWAY = "gateway"  # HAProxy
    POSTGRES = "postgres"
    REDIS = "redis"
    KAFKA = "kafka"
    OBJECTS = "objects"  # the S3 server
    FRONT = "front"  # HAProxy in front of it, for clients
    EDGE = "edge"  # CDN, nearest to the reader (Varnish)
    SHIELD = "shield"  # CDN, in front of the object store (Varnish)
    TOXIPROXY = "toxiproxy"
    PROMETHEUS = "prometheus"
    CLAMD = "clamd"


#: Servers that a component talks to, so the right-hand side of a link name.
STORES: Final = (
    Server.POSTGRES,
    Server.REDIS,
    Server.KAFKA,
    Server.OBJECTS,
    Server.CLAMD,
    Server.SHIELD,  # the CDN's tiers hold copies that must be purged
    Server.EDGE,
)

#: The stores that each component uses. The stack connects exactly these, and the model uses exactly these links.
USES: Final[dict[Component, tuple[Server, ...]]] = {
    Component.AUTH: (Server.POSTGRES, Server.REDIS, Server.KAFKA),
    Component.GRAPH: (Server.POSTGRES, Server.REDIS, Server.KAFKA),
    Component.UPLOAD: (Server.POSTGRES, Server.OBJECTS, Server.KAFKA),
    Component.MEDIA: (Server.POSTGRES, Server.OBJECTS, Server.KAFKA, Server.CLAMD, Server.SHIELD, Server.EDGE),
    Component.POSTS: (Server.POSTGRES, Server.REDIS, Server.KAFKA),
    Component.FANOUT: (Server.POSTGRES, Server.REDIS, Server.KAFKA),
    Component.FEED: (Server.POSTGRES, Server.REDIS, Server.KAFKA),
    Component.ENGAGEMENT: (Server.POSTGRES, Server.REDIS, Server.KAFKA),
    Component.STORIES: (Server.POSTGRES, Server.REDIS, Server.KAFKA),
    Component.SEARCH: (Server.KAFKA, Server.POSTGRES),
    Component.DISCOVERY: (Server.REDIS, Server.KAFKA),
    Component.ADS: (Server.POSTGRES, Server.REDIS),
}


def link(caller: str, callee: str) -> str:
    """Name of the link from ``caller`` to ``callee``; also the name of its Toxiproxy proxy."""
    return f"{caller}_{callee}"


#: Every link that a scenario may name. ``feed_postgres`` stands for the links to all PostgreSQL instances.
LINKS: Final[tuple[str, ...]] = (
    *(link(component, store) for component, stores in USES.items() for store in stores),
    *(link(Server.GATEWAY, component) for component in Component),
    link("client", Server.OBJECTS),
    link("client", Server.EDGE),
    link(Server.EDGE, Server.SHIELD),
    link(Server.SHIELD, Server.OBJECTS),
)


class Origin(StrEnum):
    """Where a run's samples come from."""

    MEASURED = "measured"
    SIMULATED = "simulated"


class Outcome(StrEnum):
    """How one request ended, as its client saw it. Both sides record these values."""

    OK = "ok"
    DEGRADED = "degraded"  # answered with parts missing (X-Feed-Degraded)
    REFUSED = "refused"  # 429 or 503: the client should come back later; nothing was done
    FAILED = "failed"  # any other error answer
    TIMEOUT = "timeout"  # no answer in time: whether it was done is unknown
    LOST = "lost"  # connection refused, reset or closed


#: Outcomes that count as errors against an expectation such as ``errors: < 1%``.
ERRORS: Final = frozenset({Outcome.REFUSED, Outcome.FAILED, Outcome.TIMEOUT, Outcome.LOST})


class PhotoState(StrEnum):
    """The processing state of a photo."""

    REGISTERED = "registered"  # its owner may put it
    PROCESSING = "processing"  # it has arrived
    SUCCEEDED = "succeeded"  # its variants can be fetched
    FAILED = "failed"  # it was refused, for the reason given


class Cache(StrEnum):
    """A cache whose hits and misses both sides count."""

    TIMELINE = "timeline"
    POST_CARD = "post_card"
    AUTHOR_CARD = "author_card"
    EDGE = "edge"
    SHIELD = "shield"


class Source(StrEnum):
    """Where a feed item came from."""

    TIMELINE = "timeline"
    CELEBRITY = "celebrity"
    RECOMMENDED = "recommended"
    AD = "ad"


class Key:
    """Redis keys: the pattern and, in the comment, the one component that writes it (others only read)."""

    TIMELINE: Final = "timeline:{user}"  # fanout; zset post id by created_ms
    AUTHOR_POSTS: Final = "author_posts:{user}"  # fanout; zset post id by created_ms, what readers of celebrities pull
    PULLED: Final = "pulled"  # fanout; set of authors whose posts readers pull: celebrities, and recently fallen ones
    PULL_ENDS: Final = "pull_ends"  # fanout; hash of authors about to leave `pulled`, by who announced it
    FOLLOWING: Final = "following:{user}"  # graph; set of followed user ids
    FEED_SESSION: Final = "feed_session:{user}:{start}"  # feed; set of marks of recommendations shown
    POST_CARD: Final = "card:post:{post}"  # feed; encoded card
    AUTHOR_CARD: Final = "card:author:{user}"  # feed; encoded card
    LIKES: Final = "count:likes:{post}"  # engagement; count and version, as 3:7
    COMMENTS: Final = "count:comments:{post}"  # engagement; count and version
    LIKED: Final = "liked:{user}"  # engagement; set of post ids
    POPULAR: Final = "popular"  # discovery; zset post id by decayed score
    HOUSE_ADS: Final = "house_ads"  # ads; list of encoded ads
    STORIES: Final = "stories:{user}"  # stories; zset story card by expires_ms
    STORIES_SEEN: Final = "stories_seen:{user}"  # stories; zset story id by expires_ms
    LOGIN_ADDRESSES: Final = "login:addresses:{account}"  # auth; zset address by its last login
    LOGIN_FAILURES: Final = "login:failures:{subject}"  # auth; hash: count and time of failed logins
    TOPICS_DONE: Final = "done:{group}:{event}"  # any consumer that must not handle an event twice


#: Header names that cross a boundary between folders.
USER_HEADER: Final = "X-User-Id"  # set by the gateway from the verified token, stripped from what clients send
CLIENT_HEADER: Final = "X-Client-Address"  # set by the gateway to the address of its peer, whatever clients send
ARRIVAL_HEADER: Final = "X-Request-Start"  # set by the gateway: when the request arrived, in microseconds of Unix time
LIMIT_HEADER: Final = "X-Concurrency-Limit"  # how many requests the instance works on at once; removed by the gateway
REQUEST_ID_HEADER: Final = "X-Request-Id"
DEGRADED_HEADER: Final = "X-Feed-Degraded"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
#: Header of an answer that is replayed.
REPLAYED_HEADER: Final = "Idempotency-Replayed"

#: Limits of a request that gateway and services share.
BODY_BYTES_MAX: Final = 1 << 20  # of the API; photos go to the object store
HEAD_BYTES_MAX: Final = 16_384  # of all header fields together, and so of each
TARGET_BYTES_MAX: Final = 8_192  # of path and query

#: Connections that one address may have open at an instance of the gateway. The load generator stays within it.
ADDRESS_CONNECTIONS_MAX: Final = 512

#: Metric names, the same in the services, the model's observations, the dashboards and the alert rules.
REQUEST_SECONDS: Final = "windtunnel_request_seconds"  # histogram by component, operation, outcome
STAGE_SECONDS: Final = "windtunnel_stage_seconds"  # histogram by component, operation, stage
CACHE_LOOKUPS_TOTAL: Final = "windtunnel_cache_lookups_total"  # counter by cache, result (hit, miss)
EVENTS_TOTAL: Final = "windtunnel_events_total"  # counter by component, topic, direction (in, out)
DEAD_LETTERS_TOTAL: Final = "windtunnel_dead_letters_total"  # counter by component, group, topic: events given up
OUTBOX_UNSENT_EVENTS: Final = "windtunnel_outbox_unsent_events"  # gauge by component, instance: the log lacks them
OUTBOX_UNHANDLED_EVENTS: Final = "windtunnel_outbox_unhandled_events"  # gauge by component, instance: on the log
OUTBOX_LET_GO_TOTAL: Final = "windtunnel_outbox_let_go_total"  # counter by component: too many to wait for
OUTBOX_RESENT_TOTAL: Final = "windtunnel_outbox_resent_total"  # counter by component: the log had lost its data
CONSUMER_LAG_SECONDS: Final = "windtunnel_consumer_lag_seconds"  # histogram by component, topic
DEGRADED_TOTAL: Final = "windtunnel_degraded_total"  # counter by component, operation, reason
PHOTO_SECONDS: Final = "windtunnel_photo_seconds"  # histogram by component: from the upload's completion to its end
EXPECTED_WAIT_SECONDS: Final = "windtunnel_expected_wait_seconds"  # gauge by component: of new background work
PHOTOS_WAITING_COUNT: Final = "windtunnel_photos_waiting_count"  # gauge by component
PHOTOS_OLDEST_SECONDS: Final = "windtunnel_photos_oldest_seconds"  # gauge by component
PHOTO_TRIES_TOTAL: Final = "windtunnel_photo_tries_total"  # counter by component, lane
PHOTOS_REFUSED_TOTAL: Final = "windtunnel_photos_refused_total"  # counter by component, reason
DELETION_SECONDS: Final = "windtunnel_deletion_seconds"  # histogram by component
CONCURRENCY_LIMIT: Final = "windtunnel_concurrency_limit_requests"  # gauge by component
BREAKER_OPEN: Final = "windtunnel_breaker_open"  # gauge by component, dependency
PROCESS_UP: Final = "windtunnel_process_up"  # gauge by process: 1 while it is ready
PROCESS_DEATHS_TOTAL: Final = "windtunnel_process_deaths_total"  # counter by process, how
PROCESS_UNRESPONSIVE_TOTAL: Final = "windtunnel_process_unresponsive_total"  # counter by process
DISK_FREE_BYTES: Final = "windtunnel_disk_free_bytes"  # gauge: of the data folder's disk
