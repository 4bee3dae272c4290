"""Rules for passwords: long enough, short enough to hash, and not among the first guesses.

Common passwords are the 30,000 most frequent ones of leaked lists, as shipped by the package zxcvbn (MIT), and a few in
other scripts, which that list lacks. Attackers try them with usual additions, so a password is looked up without its
spaces, trailing digits and signs, accents, and the usual digits in place of letters. Repetitions and runs are detected
here, because the list does not contain them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from core import text

CHARACTERS_MIN: Final = 8
CHARACTERS_MAX: Final = 256  # in NFC
_DISTINCT_MIN: Final = 3  # distinct characters of a password that is not a repetition
_REPEATED_MAX: Final = 32  # a longer repetition is not among the first guesses
_TAIL_MAX: Final = 8  # digits and signs added to a word; longer tails are hard to guess
_WORD_MIN: Final = 4
_PRODUCT: Final = "windtunnel"
#: "Password", the first keys of a keyboard and the like, in scripts that the list lacks.
_OTHER_SCRIPTS: Final = (
    *("пароль", "йцукен", "йцукенг", "йцукенгш", "привет", "любовь", "наташа", "парола", "лозинка", "κωδικος"),
    *(
        "密码",
        "密碼",
        "我爱你",
        "パスワード",
        "비밀번호",
        "사랑해",
        "סיסמה",
        "كلمةالسر",
        "كلمةالمرور",
        "رمزعبور",
        "รหัสผ่าน",
        "पासवर्ड",
    ),
)
_COMMON: Final = frozenset(FREQUENCY_LISTS["passwords"]).union(map(text.plain, _OTHER_SCRIPTS))
#: Digits and signs in place of letters, with both readings of 1.
_SUBSTITUTES: Final = tuple(
    str.maketrans({"0": "o", "3": "e", "4": "a", "5": "s", "@": "a", "$": "s", "!": one, "1": one}) for one in "li"
)


def normal(password: str) -> str:
    """A password as it is hashed: composed (NFC), because keyboards differ in how they type an accent."""
    return unicodedata.normalize("NFC", password)


def hashable(password: str) -> str:
    """The part of a password that is compared: one that is longer than allowed is wrong and is not hashed in full."""
    return normal(password[: 4 * CHARACTERS_MAX])[: CHARACTERS_MAX + 1]


def wrong(password: str, *, username: str, display_name: str) -> Iterator[str]:
    """What is wrong with a new password."""
    password = normal(password)
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        yield f"expected {CHARACTERS_MIN} to {CHARACTERS_MAX} characters, found {len(password)}"
        return
    words = _words(password)
    if words & {_letters(name) for name in (username, display_name) if _letters(name)}:
        yield "expected a password other than your name, with or without digits and signs"
    elif _is_common(words) or _is_simple(password):
        yield "expected a password that is less common"


def _letters(name: str) -> str:
    """A name as it is compared: letters and digits only."""
    return "".join(each for each in text.plain(name) if each.isalnum())


def _words(password: str) -> set[str]:
    """Words from which the password may have been derived."""
    whole = "".join(text.plain(password).split())
    tail = next((at for at, each in enumerate(reversed(whole)) if each.isalpha()), len(whole))
    begun = {whole[: len(whole) - cut] for cut in range(min(tail, _TAIL_MAX) + 1)}
    begun |= {each.translate(table) for each, table in product(begun, _SUBSTITUTES)}
    begun |= {_letters(each) for each in begun}
    return begun


def _is_common(words: set[str]) -> bool:
    return any(len(each) >= _WORD_MIN and (each in _COMMON or each == _PRODUCT) for each in words)


def _is_simple(password: str) -> bool:
    """A repetition of one or two characters, or a run such as ``abcdefgh`` or ``87654321``."""
    steps = {ord(second) - ord(first) for first, second in pairwise(password)}
    return (len(set(password)) < _DISTINCT_MIN and len(password) <= _REPEATED_MAX) or steps in ({1}, {-1})
