"""Rate limits of a scenario by operation: the defaults, the changes in a file, and which limits are impossible.

A file changes the limits that it names and keeps the others; ``none`` in a limit's place lifts it, and ``limits: none``
lifts all. In code a value replaces all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from core.names import Component
from core.operations import OPERATIONS
from core.scenario.units import RateLimit

NONE: Final = "none"
#: Default limits of one person, or of one address for people without an account. Reads of the feed bound what a broken
#: client can do; the others bound what a spammer can write. 300 sign-ups an hour leave room for a university, or a
#: mobile carrier's gateway, behind one address.
DEFAULTS: Final[Mapping[str, RateLimit]] = {
    "feed.read": RateLimit(30, 1.0, "user"),
    "auth.signup": RateLimit(300, 3600.0, "ip"),
    "media.create": RateLimit(100, 3600.0, "user"),
    "post.create": RateLimit(300, 3600.0, "user"),
    "story.create": RateLimit(100, 3600.0, "user"),
    "comment.add": RateLimit(60, 60.0, "user"),
}


def _stated(value: Any, info: ValidationInfo) -> Any:
    if not (info.context and info.context.get("in_file")):
        return value
    if value == NONE:
        return {}
    if not isinstance(value, dict):
        return value
    return {name: limit for name, limit in {**DEFAULTS, **value}.items() if limit != NONE}


def _written(limits: Mapping[str, RateLimit]) -> Any:
    if not limits:
        return NONE
    return {name: NONE for name in DEFAULTS if name not in limits} | {
        name: str(limit) for name, limit in limits.items()
    }


Limits = Annotated[dict[str, RateLimit], BeforeValidator(_stated), PlainSerializer(_written)]


def impossible(limits: Mapping[str, RateLimit]) -> Iterator[tuple[str, str]]:
    """Operations whose limit cannot be applied, and what was expected; all are known operations."""
    for name, limit in limits.items():
        operation = OPERATIONS[name]
        if not isinstance(operation.component, Component):
            yield name, f"expected an operation that passes the gateway; {name} goes to {operation.component}"
        elif limit.scope == "user" and not operation.signed_in:
            yield name, f"expected a limit per ip: {name} comes before there is a user"
