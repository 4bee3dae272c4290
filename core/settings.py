"""The settings that a process of ours gets when it starts: the only contract between it and its starter.

`stack` writes one such file per process (with the addresses that *this* caller must use, through a proxy if the link is
proxied) and passes its path in ``WINDTUNNEL_SETTINGS``; `services.kit.config` reads it. The compose file's containers
get the same file with other host names.
"""

from __future__ import annotations

from typing import Final

import msgspec

from core.bounds import REQUESTS_UNDER_WAY_MAX

SETTINGS_VARIABLE: Final = "WINDTUNNEL_SETTINGS"
#: After which a caller gives up a statement, or its wait for a connection.
POSTGRES_TIMEOUT_SECONDS: Final = 2.0
REDIS_TIMEOUT_SECONDS: Final = 1.0


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address at which one component of this process serves HTTP."""

    host: str
    port: int


class Postgres(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Physical instances in order; logical shard ``s`` is schema ``shard_<s>`` on instance ``s % len(dsns)``."""

    dsns: tuple[str, ...]  # libpq connection strings
    logical_shards: int
    pool_size_max: int  # connections of this component to each instance
    timeout_seconds: float = POSTGRES_TIMEOUT_SECONDS


class Redis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Redis server."""

    host: str
    port: int
    pool_size_max: int  # connections of this component to each node
    timeout_seconds: float = REDIS_TIMEOUT_SECONDS


class Kafka(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event log."""

    bootstrap: str  # host:port
    partitions: int = 4


class ObjectStoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The S3 server: as this component reaches it, and as clients do (the host in presigned URLs)."""

    endpoint: str  # http://host:port
    public_endpoint: str
    access_key: str
    secret_key: str
    uploads_bucket: str = "uploads"
    media_bucket: str = "media"
    region: str = "us-east-1"


class Clamd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The malware scanner."""

    host: str
    port: int


class CdnSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tiers of the CDN, for purging: their addresses, and the key that authorises a purge."""

    shield: str  # http://host:port
    edge: str
    purge_key: str


class Stores(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses of the stores that one component uses; None where `core.names.USES` has no such link."""

    postgres: Postgres | None = None
    redis: Redis | None = None
    kafka: Kafka | None = None
    objects: ObjectStoreSettings | None = None
    clamd: Clamd | None = None
    cdn: CdnSettings | None = None


class SecretSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Secrets of this stack: paths of PEM files, the key that signs cursors, the key that names media."""

    jwt_private_key: str = ""  # only auth has it (ES256)
    jwt_public_key: str = ""
    cursor_secret: str = ""
    media_secret: str = ""  # only media has it: it determines the addresses of photos


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One component of a process."""

    component: str
    listen: Listen
    stores: Stores


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one process of ours."""

    process: str  # name in `windtunnel status`
    members: tuple[Member, ...]
    scenario_path: str  # the exact scenario this stack was started for; policies come from its `system`
    public_url: str  # of the gateway, as clients reach it
    media_url: str  # of the CDN's edge, as clients reach it
    keys: SecretSettings
    data_directory: str  # private to this process
    worker: int  # index of this process among those that generate ids
    worker_count: int
    log_level: str = "info"
    drain_seconds: float = 5.0  # how long a stop waits for requests in progress
    inflight_max: int = REQUESTS_UNDER_WAY_MAX  # requests at once per component; more are refused with 503


def encode(settings: ProcessSettings) -> bytes:
    """JSON of the settings, for a file."""
    return msgspec.json.format(msgspec.json.encode(settings), indent=2)


def decode(data: bytes) -> ProcessSettings:
    """Read settings; raises ValueError that names the field."""
    try:
        return msgspec.json.decode(data, type=ProcessSettings)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
