"""Content codings of responses: chooses one for a client and compresses bytes.

The qualities were chosen by the CPU and size of a feed page (docs/ARCHITECTURE.md has the figures): brotli 3 gives the
smallest answer for the CPU of gzip 3.
"""

from __future__ import annotations

import functools
import zlib
from typing import Final

import brotli

#: Smaller answers are not compressed: a coding's header and checksum would cost what it saves.
BYTES_MIN: Final = 1_024
#: Media types that are worth compressing.
TYPES: Final = frozenset({"application/json", "application/problem+json", "text/html"})
#: Supported codings, the better one first: it wins a tie.
CODINGS: Final = ("br", "gzip")
_BROTLI_QUALITY: Final = 3
_GZIP_LEVEL: Final = 3
_GZIP_WINDOW: Final = 31  # 15 bits of window, with gzip's header and checksum
_ACCEPT_CHARACTERS_MAX: Final = 256


@functools.lru_cache(maxsize=256)
def chosen(accept_encoding: str) -> str:
    """The coding for a client that sent this `Accept-Encoding`; empty for none.

    By RFC 9110: the highest weight wins, 0 forbids, ``*`` stands for what is not named. A client that names no coding
    gets none, and one that forbids even ``identity`` gets it anyway.
    """
    weights = _weights(accept_encoding[:_ACCEPT_CHARACTERS_MAX])
    rest = weights.get("*", 0.0)
    offers = {coding: weights.get(coding, rest) for coding in CODINGS}
    if "x-gzip" in weights:  # gzip's old name
        offers["gzip"] = weights["x-gzip"]
    best = max(CODINGS, key=lambda coding: offers[coding])  # the first of equals
    return best if offers[best] > 0 and offers[best] >= weights.get("identity", 0.0) else ""


def _weights(accept_encoding: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = _weight(value.strip())
        if name:
            found[name] = weight
    return found


def _weight(text: str) -> float:
    """A weight from 0 to 1; anything else counts as 0, so that no client gets a coding by mistake."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0


def compressed(body: bytes, coding: str) -> bytes:
    """``body`` in ``coding``, one of CODINGS."""
    if coding == "br":
        return bytes(brotli.compress(body, mode=brotli.MODE_TEXT, quality=_BROTLI_QUALITY))
    return zlib.compress(body, level=_GZIP_LEVEL, wbits=_GZIP_WINDOW)
