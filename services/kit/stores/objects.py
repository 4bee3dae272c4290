"""The S3-compatible object store: boto3 in a bounded pool of threads, and presigned URLs made without a round trip.

A transient failure is retried by `core.policies.retry`, with the scenario's ``system.retry``, and never by boto3
itself, because the model retries by the same rule. Every call here is idempotent.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import boto3
from aiohttp import web
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from core import settings
from core.failures import DeadlineExceeded, Failure, NotFound, Overloaded, StorageFull, Unavailable
from core.policies.retry import RetryBudget, RetryPolicy, backoff_seconds, may_retry
from services.kit.config import MEMBER, SCENARIO, required
from services.kit.metrics import METRICS, Metrics
from services.kit.stores.health import Health

R = TypeVar("R")
_THREADS: Final = 4
_WAITING_MAX: Final = 64
_READ_SECONDS: Final = 4.0  # without a byte from the store
_PROBE_SECONDS: Final = 2.0
LISTED_MAX: Final = 1_000  # keys in one answer of the store
#: Statuses after which the same call may succeed.
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """Metadata of an object."""

    size_bytes: int
    content_type: str
    etag: str


class Objects:
    """Buckets of this stack; every call raises Unavailable while the store is down, NotFound for an unknown object.

    Calls are refused at once while the store is known to be down (`services.kit.stores.health`).
    """

    def __init__(
        self,
        object_settings: settings.ObjectStoreSettings,
        *,
        retry: RetryPolicy,
        threads: int = _THREADS,
        metrics: Metrics | None = None,
    ):
        self.settings = object_settings
        self._retry, self._budget = retry, RetryBudget()
        self._health = Health("The object store", functools.partial(_probe, object_settings.endpoint), metrics=metrics)
        self._client = _client(object_settings, object_settings.endpoint)
        self._signer = _client(object_settings, object_settings.public_endpoint)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="objects")
        self._waiting, self._waiting_max = 0, threads + _WAITING_MAX

    def presigned_put(self, *, bucket: str, key: str, headers: Mapping[str, str], expires_seconds: int) -> str:
        """URL at which a client may PUT this object: all of ``headers`` are signed, other values are refused.

        With ``If-None-Match: *`` it works once: while there is an object, even an empty one, the store answers 412.
        """
        fields = {"Content-Type": "ContentType", "Content-Length": "ContentLength", "If-None-Match": "IfNoneMatch"}
        values: dict[str, Any] = {fields[name]: value for name, value in headers.items() if name in fields}
        if "ContentLength" in values:
            values["ContentLength"] = int(values["ContentLength"])
        return str(
            self._signer.generate_presigned_url(
                "put_object", Params={"Bucket": bucket, "Key": key, **values}, ExpiresIn=expires_seconds
            )
        )

    async def head(self, *, bucket: str, key: str) -> ObjectHead:
        """Size and type of an object."""
        found = await self._run(self._client.head_object, Bucket=bucket, Key=key)
        return ObjectHead(
            size_bytes=found["ContentLength"], content_type=found.get("ContentType", ""), etag=found.get("ETag", "")
        )

    async def get(self, *, bucket: str, key: str, bytes_max: int) -> bytes:
        """The object; raises ValueError when it is larger than ``bytes_max``."""

        def read() -> bytes:
            found = self._client.get_object(Bucket=bucket, Key=key)
            with found["Body"] as stream:
                data: bytes = stream.read(bytes_max + 1)
            if len(data) > bytes_max:
                raise ValueError(f"{bucket}/{key} is larger than {bytes_max} bytes")
            return data

        return await self._run(read)

    async def put(self, *, bucket: str, key: str, body: bytes, content_type: str, cache_control: str = "") -> None:
        """Write the object; the same key with the same content may be written again."""
        extra = {"CacheControl": cache_control} if cache_control else {}
        await self._run(self._client.put_object, Bucket=bucket, Key=key, Body=body, ContentType=content_type, **extra)

    async def spend(self, *, bucket: str, key: str) -> None:
        """Replace an upload by an empty object: while it exists, nobody can upload to the same address."""
        await self.put(bucket=bucket, key=key, body=b"", content_type="application/octet-stream")

    async def delete(self, *, bucket: str, key: str) -> None:
        """Delete the object, if it exists."""
        await self._run(self._client.delete_object, Bucket=bucket, Key=key)

    async def delete_all(self, *, bucket: str, keys: Sequence[str]) -> None:
        """Delete these objects, at most `LISTED_MAX`, in one request, if they exist."""
        if not keys:
            return
        deletes = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = await self._run(self._client.delete_objects, Bucket=bucket, Delete=deletes)
        if answer.get("Errors"):
            raise Unavailable(f"The object store did not delete {len(answer['Errors'])} of {len(keys)} objects")

    async def delete_folder(self, *, bucket: str, folder: str) -> int:
        """Delete all objects whose keys begin with ``folder/``; returns how many there were."""
        deleted = 0
        while keys := await self.keys(bucket=bucket, prefix=f"{folder}/"):
            await self.delete_all(bucket=bucket, keys=keys)
            deleted += len(keys)
        return deleted

    async def keys(self, *, bucket: str, prefix: str, after: str = "", count_max: int = LISTED_MAX) -> Sequence[str]:
        """Keys that begin with ``prefix`` and sort after ``after``, in order, at most ``count_max``."""
        extra = {"StartAfter": after} if after else {}
        found = await self._run(
            self._client.list_objects_v2, Bucket=bucket, Prefix=prefix, MaxKeys=min(count_max, LISTED_MAX), **extra
        )
        return [each["Key"] for each in found.get("Contents", ())]

    async def _run(self, call: Callable[..., R], **arguments: Any) -> R:
        self._health.admit()
        if self._waiting >= self._waiting_max:
            raise Overloaded("Too many requests wait for the object store", retry_after_seconds=1.0)
        self._waiting += 1
        try:
            result = await self._tried(functools.partial(call, **arguments))
            self._health.succeeded()
            return result
        except asyncio.CancelledError:  # a request's own deadline may be shorter than ours
            self._health.suspect()
            raise
        except (ClientError, BotoCoreError) as error:
            raise self._failure(error) from error
        finally:
            self._waiting -= 1

    async def _tried(self, call: Callable[[], R]) -> R:
        """Do ``call`` and retry transient failures, within the policy's tries and its budget."""
        self._budget = self._budget.after_first_try(self._retry)
        loop, attempt = asyncio.get_running_loop(), 1
        while True:
            try:
                return await loop.run_in_executor(self._threads, call)
            except (ClientError, BotoCoreError) as error:
                if not may_retry(self._retry, self._budget, attempt=attempt, retryable=_is_transient(error)):
                    raise
            self._budget = self._budget.spend()
            await asyncio.sleep(backoff_seconds(self._retry, attempt=attempt, uniform=random.random()))
            attempt += 1

    def _failure(self, error: ClientError | BotoCoreError) -> Failure:
        status = _status(error)
        if status == 404:
            return NotFound("No such object")
        if status == 507:
            return StorageFull("The object store has no space left", retry_after_seconds=10.0)
        if isinstance(error, ReadTimeoutError):
            self._health.failed()
            return DeadlineExceeded("The object store does not answer")
        if isinstance(error, BotoCoreError):
            self._health.suspect()
        return Unavailable("The object store cannot be used")

    def close(self) -> None:
        """Shut down the threads and close the connections."""
        self._health.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()
        self._signer.close()


def _status(error: Exception) -> int | None:
    """The status that the store answered; None where it answered nothing."""
    answer: Any = getattr(error, "response", None) or {}  # present but None after a closed connection
    status: int | None = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _is_transient(error: Exception) -> bool:
    """Whether the same call may succeed: the store was overloaded, or the connection failed."""
    return _status(error) in _TRANSIENT or isinstance(error, HTTPClientError | NoConnectionError)


async def _probe(endpoint: str) -> None:
    """Send any request to the store; raises OSError when no answer begins in time."""
    address = urlsplit(endpoint)
    async with asyncio.timeout(_PROBE_SECONDS):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(f"HEAD / HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
            if not await reader.read(1):
                raise ConnectionResetError("the object store closed the connection")
        finally:
            writer.close()


def _client(object_settings: settings.ObjectStoreSettings, endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=object_settings.region,
        aws_access_key_id=object_settings.access_key,
        aws_secret_access_key=object_settings.secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=2,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},  # `Objects` retries
            max_pool_connections=8,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


OBJECTS: Final = web.AppKey("OBJECTS", Objects)


def use(app: web.Application, *, threads: int = _THREADS) -> Objects:
    """Add the object store to the application."""
    member = app[MEMBER]
    retry = app[SCENARIO].system.retry
    objects = Objects(
        required(member.stores.objects, "the object store", member.component),
        retry=RetryPolicy(
            attempts=retry.attempts,
            backoff_seconds=retry.backoff_seconds,
            backoff_cap_seconds=retry.backoff_cap_seconds,
            budget_ratio=retry.budget_ratio,
        ),
        threads=threads,
        metrics=app[METRICS],
    )
    app[OBJECTS] = objects

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        yield
        objects.close()

    app.cleanup_ctx.append(opened)
    return objects
