"""Rules for usernames and display names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from core import text
from core.failures import FieldError
from services.auth.rules import passwords

DISPLAY_NAME_MAX: Final = 64
USERNAME_MIN: Final = 3
USERNAME_MAX: Final = 30
#: As the API's document shows it, with the length; stored in lower case.
USERNAME_PATTERN: Final = r"^(?=.*[A-Za-z0-9])[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$"
_USERNAME: Final = re.compile(USERNAME_PATTERN.removesuffix("$"))


def canonical(username: str) -> str:
    """A user's name as it is stored and found: in lower case."""
    return username.lower()


def shown_name(display_name: str) -> str:
    """A display name as it is stored: composed (NFC), each run of spaces as one plain space, none around it."""
    return text.spaced(display_name)


def wrong_fields(*, username: str, password: str, display_name: str | None) -> Iterator[FieldError]:
    """Everything that is wrong with a sign-up."""
    if not (USERNAME_MIN <= len(username) <= USERNAME_MAX and _USERNAME.fullmatch(username)):
        detail = (
            f"expected {USERNAME_MIN} to {USERNAME_MAX} characters: letters a–z, digits, _ and ., at least one letter"
            " or digit, and each . between two of the others"
        )
        yield FieldError(field="username", detail=detail)
    for detail in passwords.wrong(password, username=username, display_name=display_name or ""):
        yield FieldError(field="password", detail=detail)
    if display_name is not None:
        for detail in _wrong_name(shown_name(display_name)):
            yield FieldError(field="display_name", detail=detail)


def _wrong_name(name: str) -> Iterator[str]:
    if len(name) > DISPLAY_NAME_MAX:
        yield f"expected 1 to {DISPLAY_NAME_MAX} characters"
        return
    found = next(text.hidden(name), None)
    if found is None:
        if not text.shows(name):
            yield f"expected 1 to {DISPLAY_NAME_MAX} characters, at least one of which can be seen"
    elif text.is_mark(found):
        yield f"expected at most {text.MARKS_MAX} accents on one letter, and none without one, found U+{ord(found):04X}"
    else:
        yield f"expected characters that can be seen, found U+{ord(found):04X}"
