"""What a name and a password must be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from core.failures import FieldError

PASSWORD_MIN: Final = 8
PASSWORD_BYTES_MAX: Final = 256  # in UTF-8
DISPLAY_NAME_MAX: Final = 64
_USERNAME: Final = re.compile(r"[a-z0-9_.]{3,30}")


def canonical(username: str) -> str:
    """A user's name as it is stored and found: in lower case."""
    return username.lower()


def wrong_fields(*, username: str, password: str, display_name: str | None) -> Iterator[FieldError]:
    """Everything that is wrong with a sign-up."""
    if not _USERNAME.fullmatch(canonical(username)):
        yield FieldError(field="username", detail="expected 3 to 30 letters a–z, digits, _ or .")
    if len(password) < PASSWORD_MIN:
        yield FieldError(field="password", detail=f"expected at least {PASSWORD_MIN} characters")
    if len(password.encode()) > PASSWORD_BYTES_MAX:
        yield FieldError(field="password", detail=f"expected at most {PASSWORD_BYTES_MAX} bytes in UTF-8")
    if display_name is not None and not 1 <= len(display_name.strip()) <= DISPLAY_NAME_MAX:
        yield FieldError(field="display_name", detail=f"expected 1 to {DISPLAY_NAME_MAX} characters")


def hashable(password: str) -> str:
    """What of a password is compared: one of more bytes than any account's is wrong, and is not hashed whole."""
    return password.encode()[: PASSWORD_BYTES_MAX + 1].decode(errors="ignore")
