"""What a password must be: long enough, short enough to hash, and none that is guessed first.

The common ones are the 30,000 most frequent of leaked lists, as the package zxcvbn (MIT) ships them. It leaves out what
its estimate finds by itself, repetitions and runs, so they are found here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

CHARACTERS_MIN: Final = 8
BYTES_MAX: Final = 256  # in UTF-8
_DISTINCT_MIN: Final = 3  # characters of a password that is no repetition
_REPEATED_MAX: Final = 32  # a longer repetition is not among the first guesses
_COMMON: Final = frozenset(FREQUENCY_LISTS["passwords"])


def normal(password: str) -> str:
    """A password as it is hashed: composed (NFC), for keyboards differ in how they type an accent."""
    return unicodedata.normalize("NFC", password)


def hashable(password: str) -> str:
    """What of a password is compared: one of more bytes than any account's is wrong, and is not hashed whole."""
    return normal(password[: BYTES_MAX + 1]).encode()[: BYTES_MAX + 1].decode(errors="ignore")


def wrong(password: str, *, username: str, display_name: str) -> Iterator[str]:
    """What is wrong with a new password."""
    password = normal(password)
    if len(password) < CHARACTERS_MIN:
        yield f"expected at least {CHARACTERS_MIN} characters"
    elif len(password.encode()) > BYTES_MAX:
        yield f"expected at most {BYTES_MAX} bytes in UTF-8"
    elif password.casefold() in (username.casefold(), normal(display_name).strip().casefold()):
        yield "expected another password than the name"
    elif password.casefold() in _COMMON or _is_simple(password):
        yield "expected a password that is less common"


def _is_simple(password: str) -> bool:
    """A repetition of one or two characters, or a run such as ``abcdefgh`` or ``87654321``."""
    steps = {ord(second) - ord(first) for first, second in pairwise(password)}
    return (len(set(password)) < _DISTINCT_MIN and len(password) <= _REPEATED_MAX) or steps in ({1}, {-1})
