"""The effect of a link's toxics on a call, in plain numbers: one module for both engines.

Toxics are Toxiproxy's, as `core.scenario.faults` sets them. On the way back to the caller: latency ± jitter (uniform)
on every answer, answers that stop, connections that are cut or refused. In both directions: bandwidth. When a toxic is
removed, the bytes that it holds back pass at once.

Where a connection is cut after a number of bytes, the model assumes that calls follow each other on one connection, as
they nearly do where a client takes the connection that it used last. The share of calls that are cut is the same for
any number of connections, but the first cut comes when that many bytes have passed in all. A late close affects calls
that are under way when the server dies, or that an earlier toxic in the chain cuts; others find no open connection.

Several toxics of one link form a chain in the order in which they were added. Delays add up. The narrowest link decides
how long all bytes take, and each of the others adds the time of one piece. A delay counts from the time at which the
piece reached the proxy or left the previous delay; time that it waited in a narrow link in between is part of it.

Functions take ``count`` rows beginning with ``first``. SimPy calls them as they are; `sim.compiled.stores` compiles
them.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from core.faults import Effect

#: Bytes that Toxiproxy reads and passes on at once, and the time for which a narrow link sends before it passes on.
PIECE_BYTES_MAX: Final = 32_768.0
PIECE_SECONDS: Final = 0.1

#: A toxic: when it is removed, whether it acts now and on which link, and the fields of `core.faults.Effect`.
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
    """Fields of a row that describe the effect of a fault."""
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
    """Extra seconds that a request takes through narrow links, which limit both directions; and whether the connection
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
    """Extra seconds until the answers of ``trips`` round trips arrive, or until the connection is cut; and whether it
    is.

    ``died`` says that the process that worked on the call has died meanwhile, so that there is no answer.
    """
    if cut(toxics, first, count):
        return 0.0, True
    passed, stamp = 0.0, 0.0  # seconds of one round trip, since its answer reached the proxy
    carried, narrowest, apart, piece = 0.0, 0.0, 0.0, min(float(answer_bytes), PIECE_BYTES_MAX)
    silent, hangs = False, math.inf  # until the toxic closes the connection, or is removed
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
    """Seconds that another narrow link of ``rate`` adds to the time of the narrowest so far, for ``count`` bytes in
    pieces of ``piece``: a wider link adds the time of the last piece, a narrower one that of the first."""
    if narrowest == 0.0 or piece == 0.0:
        return 0.0
    if rate < narrowest:
        return piece / narrowest
    return (count - piece * math.floor((count - 1) / piece)) / rate


def independent(uniform: float) -> float:
    """A uniform number from the trailing bits of another, for the next of several delays."""
    shifted = uniform * 1024.0
    return shifted - math.floor(shifted)
