"""Clients of the real servers: bounded pools, time limits, and errors translated to `core.failures`."""

from __future__ import annotations

import errno
from typing import Final

import psycopg
import psycopg_pool
from aiokafka import errors as kafka_errors
from redis import exceptions as redis_errors

from core.failures import DeadlineExceeded, Failure, Overloaded, StorageFull, Unavailable

_FULL_RETRY_SECONDS: Final = 10.0  # somebody has to make room
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Unanswered(psycopg.OperationalError):
    """PostgreSQL did not answer in time, not even with its own time-out: it is frozen or cannot be reached."""


def translated(error: BaseException) -> Failure | None:
    """Translate a store's own exception to a failure; None for anything that is not the store's fault."""
    match error:
        case Failure():
            return error
        case psycopg_pool.TooManyRequests():
            return Overloaded("Too many requests wait for the database", retry_after_seconds=1.0)
        case psycopg_pool.PoolTimeout() | psycopg_pool.PoolClosed():
            return Unavailable("The database cannot be reached in time")
        case psycopg.errors.QueryCanceled() | psycopg.errors.LockNotAvailable():
            return DeadlineExceeded("The database took too long")
        case psycopg.errors.DiskFull():
            return StorageFull("The database has no space left", retry_after_seconds=_FULL_RETRY_SECONDS)
        case Unanswered():
            return DeadlineExceeded("The database does not answer")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return Unavailable("The database cannot be reached")
        case redis_errors.OutOfMemoryError():
            return StorageFull("Redis has no memory left", retry_after_seconds=_FULL_RETRY_SECONDS)
        case redis_errors.ResponseError() if str(error).startswith("MISCONF"):
            return StorageFull("Redis cannot save what it is given", retry_after_seconds=_FULL_RETRY_SECONDS)
        case redis_errors.TimeoutError():
            return DeadlineExceeded("Redis took too long")
        case redis_errors.ConnectionError() | redis_errors.BusyLoadingError():
            return Unavailable("Redis cannot be reached")
        case kafka_errors.KafkaStorageError():
            return StorageFull("The log has no space left", retry_after_seconds=_FULL_RETRY_SECONDS)
        case kafka_errors.KafkaError():
            return Unavailable("The log cannot be reached")
        case OSError() if error.errno in _FULL:
            return StorageFull(retry_after_seconds=_FULL_RETRY_SECONDS)
        case ConnectionError() | OSError():
            return Unavailable("A part of the system cannot be reached")
    return None
