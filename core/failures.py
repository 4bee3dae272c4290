"""Kinds of failure, one small tree: each says whether to try again and whether anything was done.

``definite`` is Maelstrom's term: a definite failure had no effect; after an indefinite one that is unknown. Services
raise these; the chassis turns them into RFC 9457 problem details; the load generator reads them back. The gateway, the
CDN and the object store's front use the same list, and the page behind a problem's ``type`` is generated from it: the
first line of a kind's docstring says what happened, its ``remedy`` what a client should do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from core.operations import API

#: The page that explains every kind of failure, an anchor for each.
PAGE: Final = API + "/docs/errors"
#: Maximum number of characters of a client's input, or of a message about it, in an answer.
DETAIL_CHARACTERS_MAX: Final = 200
FIELD_CHARACTERS_MAX: Final = 100
ERRORS_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """An error in one field of the input: a JSON pointer or parameter name, and what was expected."""

    field: str
    detail: str


def bounded(text: str, characters: int = DETAIL_CHARACTERS_MAX) -> str:
    """``text`` cut to ``characters``, so that no answer grows with the client's input."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


class Failure(Exception):  # noqa: N818 - a failure is expected; an error is a bug
    """Base class of the failures that a caller may get; any other exception is a bug and crashes loudly."""

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
        """A failure caused by one field of the input."""
        return cls(f"{field}: {detail}", errors=(FieldError(field=field, detail=detail),))

    @classmethod
    def type_uri(cls) -> str:
        """The problem's ``type``: a reference, relative to the gateway, to its documentation."""
        return f"{PAGE}#{cls.code}"


class Invalid(Failure):
    """The input is invalid; ``errors`` names the fields."""

    code, title, status = "invalid", "The request is not valid", 400
    remedy = "Correct the fields in `errors`, or what `detail` describes if there are none, and send the request again."


class Unauthenticated(Failure):
    """No valid token, or wrong credentials."""

    code, title, status = "unauthenticated", "Sign in first", 401
    remedy = "Send `Authorization: Bearer` with an access token that has not expired; log in for a new one."


class Forbidden(Failure):
    """Signed in, but not allowed."""

    code, title, status = "forbidden", "Not allowed", 403
    remedy = "Do not repeat the request as this user."


class AddressRefused(Failure):
    """The signed address of an object does not allow this request."""

    code, title, status = "address_refused", "The address does not allow this request", 403
    remedy = (
        "Send the method and exactly the header fields that came with the address, and as many bytes as they state; "
        "change nothing in the address."
    )


class AddressExpired(Failure):
    """The signature of an object's address has expired; nothing was done."""

    code, title, status = "address_expired", "The address has expired", 403
    remedy = "Repeat `POST /media` with its `Idempotency-Key`: it answers with a new address for the same photo."


class NotFound(Failure):
    """The resource does not exist, or the caller may not know of it."""

    code, title, status = "not_found", "Not found", 404
    remedy = "Check the path and the ids in it. Deleted, hidden and private resources all look the same."


class Conflict(Failure):
    """The present state of the resource does not allow the request."""

    code, title, status = "conflict", "Conflicts with the present state", 409
    remedy = "Read the resource again and decide by its present state."


class KeyReused(Failure):
    """The Idempotency-Key was used before with another request."""

    code, title, status = "idempotency_key_reused", "This key was used with another request", 422
    remedy = "Use a new `Idempotency-Key` for each request that creates something."


class AddressUsed(Failure):
    """The address accepts one PUT, and has had it."""

    code, title, status = "address_used", "The address has been used", 412
    remedy = (
        "If this repeats a PUT whose answer was lost, the photo is stored: complete it. Otherwise register another."
    )


class LengthRequired(Failure):
    """The request has a body without a `Content-Length`."""

    code, title, status = "length_required", "The length must be known", 411
    remedy = "Send `Content-Length` instead of `Transfer-Encoding: chunked`."


class TooLarge(Failure):
    """The body is larger than the operation accepts."""

    code, title, status = "too_large", "Too large", 413
    remedy = "Send less; `detail` gives the limit."


class MethodNotAllowed(Failure):
    """The path exists, but not for this method."""

    code, title, status = "method_not_allowed", "This path does not accept this method", 405
    remedy = "Use one of the methods in `Allow`."


class SlowRequest(Failure):
    """The request's body did not arrive in time; nothing was done."""

    code, title, status, retryable = "request_timeout", "The request took too long to arrive", 408, True
    remedy = "Send the whole request at once, over a connection that carries it within the time in `detail`."


class AddressTooLong(Failure):
    """The request's path and query are longer than the gateway accepts."""

    code, title, status = "uri_too_long", "The address is too long", 414
    remedy = "Shorten the query; `detail` gives the limit."


class UnsupportedMedia(Failure):
    """The body has a media type or content coding that is not accepted."""

    code, title, status = "unsupported_media_type", "A body of this kind is not accepted", 415
    remedy = "Send JSON as `application/json`, without a `Content-Encoding`; `Accept-Encoding` says what is accepted."

    @classmethod
    def coding(cls, name: str) -> Self:
        """A body with a content coding."""
        return cls.field("Content-Encoding", f"expected none, found {bounded(name, FIELD_CHARACTERS_MAX)}")

    @classmethod
    def media_type(cls, name: str) -> Self:
        """A body of a type other than JSON."""
        return cls.field("Content-Type", f"expected application/json, found {bounded(name, FIELD_CHARACTERS_MAX)}")


class ExpectationFailed(Failure):
    """`Expect` asks for something other than `100-continue`."""

    code, title, status = "expectation_failed", "This expectation cannot be met", 417
    remedy = "Leave `Expect` out, or send `100-continue`."


class HeadersTooLarge(Failure):
    """The request's header fields are larger than the gateway accepts."""

    code, title, status = "headers_too_large", "The header fields are too large", 431
    remedy = "Send fewer or smaller header fields; `detail` gives the limit."


class Limited(Failure):
    """A rate limit was reached; try again after ``retry_after_seconds``."""

    code, title, status, retryable = "rate_limited", "Too many requests", 429, True
    remedy = "Wait for the seconds in `Retry-After`; `RateLimit` says what is left of the quota."


class TooManyConnections(Failure):
    """One address has more open connections than it may have."""

    code, title, status, retryable = "too_many_connections", "Too many connections", 429, True
    remedy = "Close unused connections and keep the others alive: one connection carries many requests."


class Internal(Failure):
    """A bug in the service; whether anything was done is unknown."""

    code, title, status, definite = "internal", "The service failed; the request was not at fault", 500, False
    remedy = "Report the `trace_id`; repeat the request only where that is safe."


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
    """Refused before any work was done, to protect the other requests."""

    code, title, status, retryable = "overloaded", "Too busy", 503, True
    remedy = "Wait for the seconds in `Retry-After` and send the request again, with increasing waits."


class Unavailable(Failure):
    """A dependency is down, and there is no fallback."""

    code, title, status, retryable = "unavailable", "A part of the system is down", 503, True
    remedy = "Wait for the seconds in `Retry-After` and send the request again, with increasing waits."


class StorageFull(Failure):
    """A store has no space left: nothing was done."""

    code, title, status, retryable = "storage_full", "No space left", 503, True
    remedy = "Try again after `Retry-After`; the operator has to free space. Reads still work."


class DeadlineExceeded(Failure):
    """No answer from a dependency in time: whether it acted is unknown."""

    code, title, status, retryable, definite = "deadline_exceeded", "Took too long", 504, True, False
    remedy = "Whether it was done is unknown: repeat it, with its `Idempotency-Key` where it creates something."


#: Every kind that a client may get, whichever server answers.
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
