"""What the toxics of a link do to a call, in plain numbers: one module for both engines.

Toxics are Toxiproxy's, as `core.scenario.faults` sets them: on the way back to the caller latency ± jitter (uniform) on
every answer, answers that stop, connections that are cut or refused; bandwidth both ways. When a toxic is taken away,
what it holds back is let through at once.

Where a connection is cut after so many bytes, calls are taken to follow each other on one connection, as they nearly do
where a client takes the connection that it used last: the share of calls that are cut is that of any number of
connections, but the first is cut when so many bytes have passed in all. A close that comes late is felt by calls that
are under way when the server dies, or that are cut by a toxic before it in the chain; others find no open connection.

Several on one link are a chain in the order in which they were put on. Delays add up. Of narrow links the narrowest
decides how long all bytes take, and each of the others adds one piece. A delay counts from when the piece came to the
proxy or left the delay before: what it waited in a narrow link in between is a part of it.

Functions take the rows from ``first`` on, ``count`` of them; SimPy calls them as they are, `sim.compiled.stores`
compiles them.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from core.faults import Effect

#: What Toxiproxy reads and passes on at once, and the time for which a narrow link sends before it passes on.
PIECE_BYTES_MAX: Final = 32_768.0
PIECE_SECONDS: Final = 0.1

#: A row: when it is taken away, whether it acts now and on which link, and `core.faults.Effect`.
TOXIC: Final = np.dtype(
    [
        ("end", "f8"), ("delay", "f8"), ("jitter", "f8"), ("rate", "f8"), ("closes", "f8"),
        ("lingers", "f8"), ("carries", "i8"), ("sent", "i8"), ("answered", "i8"),
        ("silent", "i8"), ("cuts", "i8"), ("acting", "i8"), ("link", "i8"),
    ],
    align=True,
)  # fmt: skip
Toxics = Any


def values(effect: Effect) -> dict[str, float]:
    """Fields of a row that say what a fault does."""
    return {
        "delay": effect.delay_seconds,
        "jitter": effect.jitter_seconds,
        "rate": effect.rate_bytes,
        "closes": effect.closes_seconds or math.inf,
        "silent": effect.silent,
        "cuts": effect.resets or effect.refuses,
        "carries": effect.carries_bytes,
        "lingers": effect.lingers_seconds,
    }


def cut(toxics: Toxics, first: int, count: int) -> bool:
    """Whether a call now finds the connection refused or cut."""
    for row in range(first, first + count):  # noqa: SIM110 - numba compiles no generator within an expression
        if toxics[row].acting and toxics[row].cuts:
            return True
    return False


def send(toxics: Toxics, first: int, count: int, now: float, sent_bytes: int) -> tuple[float, bool]:
    """How long it takes to carry what a caller sends, as narrow links are narrow both ways; and whether the connection
    is cut on the way."""
    passed, late, is_cut = 0.0, 0.0, False
    carried, narrowest, apart, piece = 0.0, 0.0, 0.0, min(float(sent_bytes), PIECE_BYTES_MAX)
    for row in range(first, first + count):
        if toxics[row].acting and toxics[row].carries != 0:
            toxics[row].sent += sent_bytes
            is_cut = is_cut or toxics[row].sent > toxics[row].carries
            if toxics[row].sent >= toxics[row].carries:  # the next call has another connection
                toxics[row].sent = 0
                toxics[row].answered = 0
        if toxics[row].acting and is_cut:
            late += min(toxics[row].lingers, max(0.0, toxics[row].end - now))
        if toxics[row].acting and toxics[row].rate != 0.0:
            rate = toxics[row].rate
            apart += apart_seconds(sent_bytes, piece, rate, narrowest)
            narrowest = min(rate, narrowest) if narrowest != 0.0 else rate
            piece = min(piece, rate * PIECE_SECONDS)
            wait = sent_bytes / narrowest + apart - carried
            carried = sent_bytes / narrowest + apart
            passed = max(passed, min(passed + wait, max(0.0, toxics[row].end - now)))
    return passed + late, is_cut


def answer(
    toxics: Toxics, first: int, count: int, now: float, trips: float, answer_bytes: int, uniform: float, died: bool
) -> tuple[float, bool]:
    """How much later the answers of ``trips`` round trips come, and whether the connection is cut instead, then.

    ``died`` says that who works on the call has died since it came, so that there is no answer.
    """
    if cut(toxics, first, count):
        return 0.0, True
    passed, stamp = 0.0, 0.0  # of one round trip, since its answer came
    carried, narrowest, apart, piece = 0.0, 0.0, 0.0, min(float(answer_bytes), PIECE_BYTES_MAX)
    silent, hangs = False, math.inf  # until the toxic closes it, or is taken away
    is_cut, late = False, 0.0
    for row in range(first, first + count):
        if not toxics[row].acting:
            continue
        left = max(0.0, toxics[row].end - now) / trips
        if toxics[row].carries != 0:
            toxics[row].answered += answer_bytes
            is_cut = is_cut or toxics[row].answered > toxics[row].carries
            if toxics[row].answered >= toxics[row].carries:
                toxics[row].sent = 0
                toxics[row].answered = 0
        if is_cut or died:
            late += min(toxics[row].lingers, left * trips)
        if toxics[row].delay != 0.0:
            delay = toxics[row].delay + toxics[row].jitter * (2.0 * uniform - 1.0)
            uniform = independent(uniform)
            wait = delay - (passed - stamp)
            stamp += wait
            passed = max(passed, min(passed + wait, left))
        if toxics[row].rate != 0.0:
            rate = toxics[row].rate
            apart += apart_seconds(answer_bytes, piece, rate, narrowest)
            narrowest = min(rate, narrowest) if narrowest != 0.0 else rate
            piece = min(piece, rate * PIECE_SECONDS)
            wait = (answer_bytes / narrowest + apart - carried) / trips
            carried = answer_bytes / narrowest + apart
            passed = max(passed, min(passed + wait, left))
        if toxics[row].silent:
            silent, hangs = True, min(hangs, min(toxics[row].closes, max(0.0, toxics[row].end - now)))
    return (hangs, True) if silent else (passed * trips + late, is_cut)


def apart_seconds(count: int, piece: float, rate: float, narrowest: float) -> float:
    """What another narrow link of ``rate`` adds to the time of the narrowest so far, that of ``count`` bytes in pieces
    of ``piece``: a wider one behind it the last piece, one before a narrower one the first."""
    if narrowest == 0.0 or piece == 0.0:
        return 0.0
    if rate < narrowest:
        return piece / narrowest
    return (count - piece * math.floor((count - 1) / piece)) / rate


def independent(uniform: float) -> float:
    """A uniform number of what the leading bits of another do not say: for the next of several delays."""
    shifted = uniform * 1024.0
    return shifted - math.floor(shifted)
