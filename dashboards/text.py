"""Escapes text from outside (addresses, files, scenarios), so that Streamlit shows it as it is.

Streamlit renders nearly every string as Markdown, with links, pictures and formulas.
"""

from __future__ import annotations

import re
from typing import Final

#: Characters of a text that are shown.
LENGTH_MAX: Final = 500

_SIGNS: Final = re.compile(r"([!-/:-@\[-`{-~])")
#: Text that becomes a link even when every character is escaped.
_ADDRESS: Final = re.compile(r"(?i)(?:https?://|ftp://|mailto:|xmpp:|www\.)\S+|\S+@\S+\.\S+")


def code(text: object) -> str:
    """``text`` in a code span: for names from outside, such as an address or a path."""
    line = _line(text)
    if not line:
        return "(nothing)"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if line.startswith("`") or line.endswith("`") else f"{fence}{line}{fence}"


def plain(text: object) -> str:
    """``text`` in a sentence: nothing in it is rendered as Markdown."""
    line, begin, parts = _line(text), 0, []
    for found in (*_ADDRESS.finditer(line),):
        parts += [_escaped(line[begin : found.start()]), code(found[0])]
        begin = found.end()
    return "".join((*parts, _escaped(line[begin:])))


def _escaped(text: str) -> str:
    return _SIGNS.sub(r"\\\1", text)


def _line(text: object) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())
    return line if len(line) <= LENGTH_MAX else f"{line[: LENGTH_MAX - 1]}…"
