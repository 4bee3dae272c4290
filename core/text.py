"""Text in any script: its words, how it is compared, and whether it is visible.

What counts as a letter follows the general categories of Unicode; joiners and the few marks inside words follow UAX #31
(hashtags: section 6; joiners: section 2.3).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"
_JOINERS: Final = ZWNJ + ZWJ
#: Scripts whose words need joiners, by the first word of their characters' Unicode names.
_JOINED: Final = frozenset(
    {
        *("ARABIC", "SYRIAC", "MONGOLIAN", "NKO", "MANDAIC", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA"),
        *("TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN", "BALINESE", "JAVANESE"),
    }
)
#: Scripts that write words without spaces between them.
_UNSPACED: Final = frozenset(
    {"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR"}
)
#: Marks that belong to a word when inside it: middle dots, Hebrew geresh and gershayim, Tibetan tsheg.
_MEDIAL: Final = frozenset("·・‧゠׳״་")
_VIRAMA: Final = 9  # canonical combining class
#: Marks of these classes are parts of letters rather than accents on them: vowel signs, nuktas, kana voicing, viramas.
_LETTERS_OWN: Final = frozenset({0, 7, 8, _VIRAMA})
#: Letters that contain another one but have no decomposition.
_PLAIN: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŧ": "t", "ŋ": "n"}
)
#: Invisible letters, marks and symbols, besides the categories of `_HIDDEN`.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
#: Control, format, surrogate, private use, unassigned, line and paragraph separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
MARKS_MAX: Final = 5  # on one letter; a real word has up to four


def is_word(character: str) -> bool:
    """Whether a character is a visible letter, mark, number or underscore."""
    return character == "_" or (unicodedata.category(character)[0] in "LMN" and character not in _BLANK)


def _script(character: str, scripts: frozenset[str]) -> bool:
    return unicodedata.name(character, "").partition(" ")[0].partition("-")[0] in scripts


def _joins(before: str, after: str) -> bool:
    """Whether a joiner between these two belongs to the word."""
    return bool(before and after) and _script(before, _JOINED) and _script(after, _JOINED)


def word_end(text: str, start: int) -> int:
    """Where the word that begins at ``start`` ends; ``start`` itself if none begins there."""
    end = at = start
    while at < len(text):
        character = text[at]
        if is_word(character):
            at += 1
            end = at
        elif (character in _JOINERS or character in _MEDIAL) and end > start and at - end < 2:
            at += 1  # it belongs to the word if the word continues
            if character == ZWJ and unicodedata.combining(text[at - 2]) == _VIRAMA:
                end = at  # old spelling of Malayalam's final letters
        else:
            break
    return end


def tidy_joiners(text: str) -> str:
    """``text`` without joiners that its script does not need, so that words that look alike are equal."""
    kept = []
    for at, character in enumerate(text):
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        at_end = character == ZWJ and bool(before) and unicodedata.combining(before) == _VIRAMA
        if character not in _JOINERS or at_end or _joins(before, after):
            kept.append(character)
    return "".join(kept)


def composed(text: str) -> str:
    """``text`` in Unicode's composed form (NFC), so that text that looks alike is stored alike."""
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """The key by which words are compared: without case, width, compatibility forms and joiners."""
    key = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", "".join(each for each in key if each not in _JOINERS))


def plain(text: str) -> str:
    """`folded`, and without accents."""
    parts = unicodedata.normalize("NFKD", folded(text))
    kept = "".join(
        each for each in parts if unicodedata.category(each) != "Mn" or unicodedata.combining(each) in _LETTERS_OWN
    )
    return unicodedata.normalize("NFC", kept).translate(_PLAIN)


def words(text: str) -> list[str]:
    """The words of ``text`` as they are compared: split at everything that is not a letter, mark or number, and where a
    script without spaces begins or ends."""
    found: list[str] = []
    word, unspaced = "", False
    for character in plain(text) + " ":
        kind = unicodedata.category(character)[0]
        if kind == "M" and word:
            word += character
            continue
        now = kind == "L" and _script(character, _UNSPACED)
        if word and (kind not in "LN" or now is not unspaced):
            found.append(word)
            word = ""
        if kind in "LN":
            word, unspaced = word + character, now
    return found


def beginnings(text: str, *, endings_max: int = 32) -> list[str]:
    """Index terms by which a prefix search finds ``text``: its words; words that are split at hyphens or apostrophes,
    also joined; and every suffix of a word in a script without spaces, because a given name may be inside it. A space
    in such a script splits nothing."""
    found = dict.fromkeys(words(text))
    for part in _closed_up(plain(text)).split():
        found.update(dict.fromkeys(words("".join(each for each in part if is_word(each)))))
    for word in list(found):
        if _script(word[0], _UNSPACED):
            endings = (word[at:] for at in range(1, min(len(word), endings_max)))
            found.update((each, None) for each in endings if unicodedata.category(each[0]) != "Mn")
    return list(found)


def _closed_up(text: str) -> str:
    """``text`` without spaces between two words of scripts that do not use them."""
    parts = text.split()
    closed = parts[:1]
    for before, part in pairwise(parts):
        closed.append(part if _script(before[-1], _UNSPACED) and _script(part[0], _UNSPACED) else f" {part}")
    return "".join(closed)


def spaced(text: str) -> str:
    """``text`` composed, with each run of spaces as one plain space, none around it."""
    return " ".join(composed(text).split())


def hidden(text: str) -> Iterator[str]:
    """The characters of ``text`` that are invisible or change how others look: control, format and direction
    characters, blanks other than spaces, joiners that join nothing, marks without a letter or too many on one."""
    marks = MARKS_MAX
    for at, character in enumerate(text):
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > MARKS_MAX or character in _BLANK or (_is_selector(character) and not _is_symbol(before)):
                yield character
            continue
        marks = MARKS_MAX if category[0] == "Z" else 0
        if character in _JOINERS:
            emoji = character == ZWJ and (_is_symbol(before) or _is_selector(before)) and _is_symbol(after)
            final = character == ZWJ and bool(before) and unicodedata.combining(before) == _VIRAMA
            if not (emoji or final or _joins(before, after)):
                yield character
        elif category in _HIDDEN or character in _BLANK or (category == "Zs" and character != " "):
            yield character


def is_mark(character: str) -> bool:
    """Whether a character is an accent or another visible mark on a letter: `hidden` finds it without a letter, or
    if there are too many on one."""
    return unicodedata.category(character) in ("Mn", "Me") and character not in _BLANK and not _is_selector(character)


def _is_symbol(character: str) -> bool:
    return bool(character) and (unicodedata.category(character) in ("So", "Sk", "Sm", "Po", "Nd") or character in "‼⁉")


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def shows(text: str) -> bool:
    """Whether anything is visible: a letter, number, symbol or punctuation mark."""
    return any(unicodedata.category(each)[0] in "LNSP" and each not in _BLANK for each in text)
