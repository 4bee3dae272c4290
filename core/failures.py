"""Kinds of failure, one small tree: each tells its caller whether to try again and whether anything was done.

``definite`` is Maelstrom's word: a definite failure surely had no effect; after an indefinite one nobody knows.
Services raise these; the chassis turns them into RFC 9457 problem details; the load reads them back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """What is wrong with one field of the input: a JSON pointer or parameter name, and what was expected."""

    field: str
    detail: str


class Failure(Exception):  # noqa: N818 - the house calls what is seen a failure; an error is a bug
    """Root of the failures that a caller may meet; anything else that is raised is a bug and crashes loudly."""

    code: ClassVar[str] = "failure"
    title: ClassVar[str] = "The request failed"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    definite: ClassVar[bool] = True

    def __init__(
        self, detail: str = "", *, errors: tuple[FieldError, ...] = (), retry_after_seconds: float | None = None
    ):
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def field(cls, field: str, detail: str) -> Self:
        """A failure for which one field of the input is the reason."""
        return cls(f"{field}: {detail}", errors=(FieldError(field=field, detail=detail),))


class Invalid(Failure):
    """The input is wrong; ``errors`` names the fields."""

    code, title, status = "invalid", "The request is not valid", 400


class Unauthenticated(Failure):
    """No valid token, or wrong credentials."""

    code, title, status = "unauthenticated", "Sign in first", 401


class Forbidden(Failure):
    """Signed in, and not allowed."""

    code, title, status = "forbidden", "Not allowed", 403


class NotFound(Failure):
    """No such thing, or none that this caller may know of."""

    code, title, status = "not_found", "Not found", 404


class Conflict(Failure):
    """The state of the thing forbids it."""

    code, title, status = "conflict", "Conflicts with the present state", 409


class KeyReused(Failure):
    """An Idempotency-Key that was used before, with another request."""

    code, title, status = "idempotency_key_reused", "This key was used with another request", 422


class TooLarge(Failure):
    """The body is larger than the operation takes."""

    code, title, status = "too_large", "Too large", 413


class Limited(Failure):
    """A rate limit; come back after ``retry_after_seconds``."""

    code, title, status, retryable = "rate_limited", "Too many requests", 429, True


class Overloaded(Failure):
    """Refused before any work, to keep the rest alive."""

    code, title, status, retryable = "overloaded", "Too busy", 503, True


class Unavailable(Failure):
    """A dependency is down and there is no way around it."""

    code, title, status, retryable = "unavailable", "A part of the system is down", 503, True


class DeadlineExceeded(Failure):
    """No answer from a dependency in time: whether it acted is unknown."""

    code, title, status, retryable, definite = "deadline_exceeded", "Took too long", 504, True, False


KINDS: tuple[type[Failure], ...] = (
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    KeyReused,
    TooLarge,
    Limited,
    Overloaded,
    Unavailable,
    DeadlineExceeded,
)
