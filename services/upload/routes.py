"""Uploads over HTTP: the photo itself goes straight to the object store, only its metadata comes here."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web

from core import ids, operations
from core.failures import Conflict, Failure, FieldError, Forbidden, Invalid, NotFound
from core.messages import MediaUploaded
from core.names import PhotoState
from core.policies.photo import Refusal
from services.kit import body, idempotency, outbox
from services.kit.answers import answer, empty
from services.kit.backlog import BACKLOG
from services.kit.clock import now_ms, rfc3339
from services.kit.config import SETTINGS, new_id
from services.kit.fields import Id, Time, Url, stated
from services.kit.photos import Photo, Variant, address
from services.kit.routing import path_id, route, stage, viewer
from services.kit.stores.objects import OBJECTS
from services.upload import rules
from services.upload.store import Photos, Upload

PHOTOS: Final = web.AppKey("PHOTOS", Photos)
VERIFYING: Final = web.AppKey("VERIFYING", asyncio.Semaphore)  # uploads that are read back at once
VERIFYING_MAX: Final = 2


Checksum = Annotated[str, stated(pattern=rules.CHECKSUM_PATTERN)]


class NewMedia(body.Body, frozen=True, kw_only=True):
    """A photo that is about to be uploaded; ``checksum_sha256`` in hexadecimal."""

    content_type: Annotated[str, stated(enum=rules.CONTENT_TYPES)]
    size_bytes: Annotated[int, stated(minimum=1, maximum=rules.SIZE_BYTES_MAX)]
    checksum_sha256: Checksum | None = None


class MediaCompletion(body.Body, frozen=True, kw_only=True):
    """Body of `media.complete`: the checksum of what was put, in hexadecimal."""

    checksum_sha256: Checksum | None = None


class MediaState(msgspec.Struct, frozen=True, kw_only=True):
    """State of a photo."""

    id: Id
    state: PhotoState


class Media(Photo, frozen=True, kw_only=True):
    """A photo; ``failure`` says why it was refused."""

    failure: Refusal | None


class UploadTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where to put the photo, once, with exactly these headers.

    The address accepts one PUT. It answers 412 (`address_used`) to another one, also to a repeated PUT whose answer was
    lost: then the photo is there. It answers 403 to a request that differs from what was signed (`address_refused`) and
    after it has expired (`address_expired`). All its errors are problem documents, like those of the API.
    """

    method: Literal["PUT"]
    url: Url
    headers: dict[str, str]
    expires_at: Time


class NewMediaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `media.create`; no ``upload`` when a repeat of the request finds that the photo has been completed."""

    media: MediaState
    upload: UploadTarget | None


class MediaStateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `media.complete`."""

    media: MediaState


class MediaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `media.read`."""

    media: Media


async def create(request: web.Request) -> web.Response:
    """Announce a photo and get an address to put it to."""
    with stage(request, "parse"):
        owner_id = viewer(request)
        request.app[BACKLOG].admit(owner_id)
        given = await body.read(request, NewMedia)
        _refuse(
            rules.wrong_fields(
                content_type=given.content_type, size_bytes=given.size_bytes, checksum_sha256=given.checksum_sha256
            )
        )
    with stage(request, "present"):
        media_id = new_id(request.app, ids.shard_of(owner_id))
        photo = Upload(
            media_id=media_id,
            owner_id=owner_id,
            state=PhotoState.REGISTERED,
            content_type=given.content_type,
            size_bytes=given.size_bytes,
            checksum_sha256=given.checksum_sha256,
            object_key=rules.object_key(media_id),
        )
        response = answer(_registered(request, photo), status=201)
    with stage(request, "write"):
        response, first = await request.app[PHOTOS].register(request, photo, response, id_in=_media_id)
    if first is not None:
        # as it is now: the first answer's address may have expired, or the photo may have been put
        with stage(request, "present"):
            return answer(_registered(request, first), status=201, headers=idempotency.REPLAYED)
    return response


async def complete(request: web.Request) -> web.Response:
    """Report that the photo has been put; it is verified and then processed."""
    photos = request.app[PHOTOS]
    with stage(request, "load"):
        viewer_id, media_id = viewer(request), path_id(request, "media_id")
        given = body.decode(await request.read() or b"{}", MediaCompletion)
        if given.checksum_sha256 is not None:
            _refuse(rules.wrong_checksum(given.checksum_sha256))
        photo = await photos.photo(media_id)
        photo = await _own(photos, photo, media_id, viewer_id)
    state = photo.state
    if state is PhotoState.REGISTERED:
        checksum = photo.checksum_sha256 or given.checksum_sha256
        if given.checksum_sha256 not in (None, checksum):
            raise Invalid.field("checksum_sha256", "expected the one that was announced")
        with stage(request, "verify"):
            await _verify(request, photo, checksum)
        with stage(request, "write"):
            event = MediaUploaded(
                **outbox.stamp(request.app, ids.shard_of(media_id)),
                media_id=media_id,
                owner_id=photo.owner_id,
                object_key=photo.object_key,
                size_bytes=photo.size_bytes,
                content_type=photo.content_type,
            )
            state = PhotoState.PROCESSING
            if not await photos.complete(event, checksum_sha256=checksum):  # another request was first
                now = await photos.photo(media_id)
                if now is None:
                    raise NotFound(f"No media {media_id}")
                state = now.state
    with stage(request, "present"):
        return answer(MediaStateAnswer(media=MediaState(id=str(media_id), state=state)), status=202)


async def _own(photos: Photos, photo: Upload | None, media_id: int, viewer_id: int) -> Upload:
    """The viewer's own photo; raises Forbidden for another's that the viewer may see, else NotFound."""
    if photo is not None and photo.owner_id == viewer_id:
        return photo
    if photo is None or not await _is_seen(photos, photo):
        raise NotFound(f"No media {media_id}")
    raise Forbidden("Only its owner may change a photo")


async def _is_seen(photos: Photos, photo: Upload) -> bool:
    """Whether others see the photo."""
    return photo.state is not PhotoState.FAILED and await photos.is_posted(photo.media_id)


async def delete(request: web.Request) -> web.Response:
    """Delete one's own photo in any state; all its addresses are gone within five seconds.

    Answers 409 while a post, or a story that has not ended, shows it: it is deleted with the last of them.
    """
    photos = request.app[PHOTOS]
    with stage(request, "load"):
        viewer_id, media_id = viewer(request), path_id(request, "media_id")
        photo = await photos.photo(media_id)
        photo = await _own(photos, photo, media_id, viewer_id)
    with stage(request, "write"):
        if not await photos.delete(media_id, now_ms=now_ms()):
            raise Conflict("A post or a story shows this photo: delete the post, or wait until the story has ended")
        if photo.state is PhotoState.REGISTERED:
            with suppress(Failure):  # the media worker does it too, and again until it is done
                objects = request.app[OBJECTS]
                await objects.spend(bucket=objects.settings.uploads_bucket, key=photo.object_key)
    with stage(request, "present"):
        return empty()


async def read(request: web.Request) -> web.Response:
    """Read a photo: its state, and the addresses of its variants."""
    photos = request.app[PHOTOS]
    with stage(request, "load"):
        viewer_id, media_id = viewer(request), path_id(request, "media_id")
        photo = await photos.photo(media_id)
        if photo is None or not rules.may_see(
            owner_id=photo.owner_id,
            viewer_id=viewer_id,
            is_posted=photo.owner_id != viewer_id and await _is_seen(photos, photo),
        ):
            raise NotFound(f"No media {media_id}")
        variants = await photos.variants(media_id) if photo.state is PhotoState.SUCCEEDED else []
    with stage(request, "present"):
        base = request.app[SETTINGS].media_url
        views = [
            Variant(
                name=each.name,
                url=address(base, each.object_key),
                width=each.width,
                height=each.height,
                content_type=each.content_type,
                size_bytes=each.size_bytes,
            )
            for each in variants
        ]
        failure = Refusal(photo.failure) if photo.failure is not None else None
        return answer(
            MediaAnswer(media=Media(id=str(media_id), state=photo.state, failure=failure, variants=views)),
        )


def _media_id(response: web.Response) -> int:
    assert isinstance(response.body, bytes)
    return int(msgspec.json.decode(response.body, type=NewMediaAnswer).media.id)


def _registered(request: web.Request, photo: Upload) -> NewMediaAnswer:
    objects = request.app[OBJECTS]
    state = MediaState(id=str(photo.media_id), state=photo.state)
    if photo.state is not PhotoState.REGISTERED:
        return NewMediaAnswer(media=state, upload=None)
    headers = {
        "Content-Type": photo.content_type,
        "Content-Length": str(photo.size_bytes),
        "If-None-Match": "*",  # the store accepts it only if there is no object yet
    }
    url = objects.presigned_put(
        bucket=objects.settings.uploads_bucket,
        key=photo.object_key,
        headers=headers,
        expires_seconds=rules.UPLOAD_SECONDS,
    )
    return NewMediaAnswer(
        media=state,
        upload=UploadTarget(
            method="PUT", url=url, headers=headers, expires_at=rfc3339(now_ms() + rules.UPLOAD_SECONDS * 1000)
        ),
    )


async def _verify(request: web.Request, photo: Upload, checksum_sha256: str | None) -> None:
    """Raise Conflict when nothing was put, Invalid when something differs from what was announced."""
    objects = request.app[OBJECTS]
    bucket = objects.settings.uploads_bucket
    try:
        head = await objects.head(bucket=bucket, key=photo.object_key)
    except NotFound as missing:
        raise Conflict("Nothing has been uploaded yet: put the photo to its address first") from missing
    if head.size_bytes != photo.size_bytes:
        detail = f"expected the announced {photo.size_bytes} bytes, {head.size_bytes} were uploaded"
        raise Invalid.field("size_bytes", detail)
    if checksum_sha256 is None:
        return
    async with request.app[VERIFYING]:  # each holds a whole photo in memory
        data = await objects.get(bucket=bucket, key=photo.object_key, bytes_max=rules.SIZE_BYTES_MAX)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
    if digest != checksum_sha256:
        raise Invalid.field("checksum_sha256", f"what was uploaded has {digest}")


def _refuse(wrong: Iterator[FieldError]) -> None:
    errors = tuple(wrong)
    if errors:
        raise Invalid(f"{errors[0].field}: {errors[0].detail}", errors=errors)


ROUTES: Final = (
    route(operations.MEDIA_CREATE, create, body=NewMedia, answer=NewMediaAnswer),
    route(
        operations.MEDIA_COMPLETE,
        complete,
        body=MediaCompletion,
        answer=MediaStateAnswer,
        refuses=(Conflict, Forbidden),
    ),
    route(operations.MEDIA_READ, read, answer=MediaAnswer),
    route(operations.MEDIA_DELETE, delete, refuses=(Conflict, Forbidden)),
)
