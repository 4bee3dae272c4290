"""Kinds of failure, one small tree: each tells its caller whether to try again and whether anything was done.

``definite`` is Maelstrom's word: a definite failure surely had no effect; after an indefinite one nobody knows.
Services raise these; the chassis turns them into RFC 9457 problem details; the load reads them back. The gateway, the
CDN and the object store's front answer by the same list, and the page that a problem's ``type`` leads to is made of it:
the first line of a kind's docstring says what happened, its ``remedy`` what a client should do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from core.operations import API

#: The page that explains every kind of failure, an anchor for each.
PAGE: Final = API + "/docs/errors"
#: Characters of what a client sent, or of what we say of it, that an answer repeats at most.
DETAIL_CHARACTERS_MAX: Final = 200
FIELD_CHARACTERS_MAX: Final = 100
ERRORS_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """What is wrong with one field of the input: a JSON pointer or parameter name, and what was expected."""

    field: str
    detail: str


def bounded(text: str, characters: int = DETAIL_CHARACTERS_MAX) -> str:
    """``text`` cut to ``characters``, so that no answer is as long as what a client sent."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


class Failure(Exception):  # noqa: N818 - the house calls what is seen a failure; an error is a bug
    """Root of the failures that a caller may meet; anything else that is raised is a bug and crashes loudly."""

    code: ClassVar[str] = "failure"
    title: ClassVar[str] = "The request failed"
    status: ClassVar[int] = 500
    remedy: ClassVar[str] = ""
    retryable: ClassVar[bool] = False
    definite: ClassVar[bool] = True

    def __init__(
        self, detail: str = "", *, errors: tuple[FieldError, ...] = (), retry_after_seconds: float | None = None
    ):
        super().__init__(detail or self.title)
        self.detail = bounded(detail or self.title)
        self.errors = tuple(
            FieldError(field=bounded(each.field, FIELD_CHARACTERS_MAX), detail=bounded(each.detail))
            for each in errors[:ERRORS_MAX]
        )
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def field(cls, field: str, detail: str) -> Self:
        """A failure for which one field of the input is the reason."""
        return cls(f"{field}: {detail}", errors=(FieldError(field=field, detail=detail),))

    @classmethod
    def type_uri(cls) -> str:
        """The problem's ``type``: a reference, relative to the gateway, to what the docs say of it."""
        return f"{PAGE}#{cls.code}"


class Invalid(Failure):
    """The input is wrong; ``errors`` names the fields."""

    code, title, status = "invalid", "The request is not valid", 400
    remedy = "Correct what `errors` names, or `detail` where it names nothing, and send the request again."


class Unauthenticated(Failure):
    """No valid token, or wrong credentials."""

    code, title, status = "unauthenticated", "Sign in first", 401
    remedy = "Send `Authorization: Bearer` with an access token that has not expired; log in for a new one."


class Forbidden(Failure):
    """Signed in, and not allowed."""

    code, title, status = "forbidden", "Not allowed", 403
    remedy = "Do not repeat the request as this user."


class AddressRefused(Failure):
    """The signed address of an object does not allow this request."""

    code, title, status = "address_refused", "The address does not allow this request", 403
    remedy = (
        "Send the method and exactly the header fields that came with the address, and as many bytes as they say; "
        "change nothing in the address."
    )


class AddressExpired(Failure):
    """The time for which an object's address was signed is over; nothing was done."""

    code, title, status = "address_expired", "The address has expired", 403
    remedy = "Repeat `POST /media` with its `Idempotency-Key`: it answers with a new address for the same photo."


class NotFound(Failure):
    """No such thing, or none that this caller may know of."""

    code, title, status = "not_found", "Not found", 404
    remedy = "Check the path and the ids in it. What is deleted, hidden or private looks the same."


class Conflict(Failure):
    """The state of the thing forbids it."""

    code, title, status = "conflict", "Conflicts with the present state", 409
    remedy = "Read the thing again and decide by its present state."


class KeyReused(Failure):
    """An Idempotency-Key that was used before, with another request."""

    code, title, status = "idempotency_key_reused", "This key was used with another request", 422
    remedy = "Use a new `Idempotency-Key` for each request that is meant to create something."


class AddressUsed(Failure):
    """Something was put to this address before: it takes one PUT."""

    code, title, status = "address_used", "The address has been used", 412
    remedy = "Where this repeats a PUT whose answer was lost, the photo is there: complete it. Else register another."


class LengthRequired(Failure):
    """The request has a body of which `Content-Length` does not say how long it is."""

    code, title, status = "length_required", "The length must be known", 411
    remedy = "Send `Content-Length` instead of `Transfer-Encoding: chunked`."


class TooLarge(Failure):
    """The body is larger than the operation takes."""

    code, title, status = "too_large", "Too large", 413
    remedy = "Send less; `detail` says how much is taken."


class MethodNotAllowed(Failure):
    """The path exists and does not take this method."""

    code, title, status = "method_not_allowed", "This path does not take this method", 405
    remedy = "Use one of the methods in `Allow`."


class SlowRequest(Failure):
    """The request's body did not arrive in time; nothing was done."""

    code, title, status, retryable = "request_timeout", "The request took too long to arrive", 408, True
    remedy = "Send the whole request at once, over a connection that carries it within the time in `detail`."


class AddressTooLong(Failure):
    """The request's path and query are longer than the gateway takes."""

    code, title, status = "uri_too_long", "The address is too long", 414
    remedy = "Shorten the query; `detail` says how much is taken."


class UnsupportedMedia(Failure):
    """The body is of a media type, or in a content coding, that is not taken."""

    code, title, status = "unsupported_media_type", "A body of this kind is not taken", 415
    remedy = "Send JSON as `application/json`, without a `Content-Encoding`; `Accept-Encoding` says what is taken."

    @classmethod
    def coding(cls, name: str) -> Self:
        """A body in a content coding."""
        return cls.field("Content-Encoding", f"expected none, found {bounded(name, FIELD_CHARACTERS_MAX)}")

    @classmethod
    def media_type(cls, name: str) -> Self:
        """A body of another type than JSON."""
        return cls.field("Content-Type", f"expected application/json, found {bounded(name, FIELD_CHARACTERS_MAX)}")


class ExpectationFailed(Failure):
    """`Expect` asks for something other than `100-continue`."""

    code, title, status = "expectation_failed", "This expectation cannot be met", 417
    remedy = "Leave `Expect` out, or send `100-continue`."


class HeadersTooLarge(Failure):
    """The request's header fields are larger than the gateway takes."""

    code, title, status = "headers_too_large", "The header fields are too large", 431
    remedy = "Send fewer or smaller header fields; `detail` says how much is taken."


class Limited(Failure):
    """A rate limit; come back after ``retry_after_seconds``."""

    code, title, status, retryable = "rate_limited", "Too many requests", 429, True
    remedy = "Wait for the seconds in `Retry-After`; `RateLimit` and `RateLimit-Policy` say what is left, until when."


class TooManyConnections(Failure):
    """More connections are open from one address than one address may have."""

    code, title, status, retryable = "too_many_connections", "Too many connections", 429, True
    remedy = "Close connections that are not used and keep others alive: one connection carries many requests."


class Internal(Failure):
    """A bug of ours; whether anything was done is unknown."""

    code, title, status, definite = "internal", "Something is wrong with us, not with the request", 500, False
    remedy = "Report it with the `trace_id`; repeat the request only where that is safe."


class BadGateway(Failure):
    """The part of the system that should have answered closed the connection; whether it acted is unknown."""

    code, title, status, retryable, definite = (
        "bad_gateway",
        "A part of the system closed the connection",
        502,
        True,
        False,
    )
    remedy = (
        "Wait for the seconds in `Retry-After` and repeat it, with its `Idempotency-Key` where it creates something."
    )


class Overloaded(Failure):
    """Refused before any work, to keep the rest alive."""

    code, title, status, retryable = "overloaded", "Too busy", 503, True
    remedy = "Wait for the seconds in `Retry-After` and send the request again, with growing waits."


class Unavailable(Failure):
    """A dependency is down and there is no way around it."""

    code, title, status, retryable = "unavailable", "A part of the system is down", 503, True
    remedy = "Wait for the seconds in `Retry-After` and send the request again, with growing waits."


class StorageFull(Failure):
    """A store has no space left: nothing was done."""

    code, title, status, retryable = "storage_full", "No space left", 503, True
    remedy = "Try again after `Retry-After`; the operator has to make room. Reading goes on."


class DeadlineExceeded(Failure):
    """No answer from a dependency in time: whether it acted is unknown."""

    code, title, status, retryable, definite = "deadline_exceeded", "Took too long", 504, True, False
    remedy = "Whether it was done is unknown: repeat it, with its `Idempotency-Key` where it creates something."


#: Every kind that a client may meet, whoever answers it.
KINDS: Final[tuple[type[Failure], ...]] = (
    Invalid,
    Unauthenticated,
    Forbidden,
    AddressRefused,
    AddressExpired,
    NotFound,
    MethodNotAllowed,
    SlowRequest,
    Conflict,
    KeyReused,
    AddressUsed,
    LengthRequired,
    TooLarge,
    AddressTooLong,
    UnsupportedMedia,
    ExpectationFailed,
    HeadersTooLarge,
    Limited,
    TooManyConnections,
    Internal,
    BadGateway,
    Overloaded,
    Unavailable,
    StorageFull,
    DeadlineExceeded,
)
