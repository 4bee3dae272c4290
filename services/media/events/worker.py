"""A worker process that decodes photos: reads them from its standard input, writes the variants to its output.

Hostile files attack decoders, so they run here: with limits on memory and on the CPU time of each photo, enforced by
the kernel, with no connections, and under a parent that kills this process when it hangs. Frames are eight bytes of
length and then the data. It imports nothing of the service but its rules, so that it starts in a fifth of a second.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
from typing import BinaryIO, Final

import msgspec
import pyvips

from core.policies import photo
from core.policies.photo import Lane
from services.media.rules.checks import Checked
from services.media.rules.refusal import Refused
from services.media.rules.render import render
from services.media.rules.work import RenderResult

LENGTH_BYTES: Final = 8
_PR_SET_PDEATHSIG: Final = 1
_DECODE: Final = msgspec.msgpack.Decoder(Checked).decode


def _frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    wanted = int.from_bytes(head, "big")
    data = stream.read(wanted)
    return data if len(data) == wanted else None


def _outcome(data: bytes) -> RenderResult:
    try:
        return RenderResult(renderings=render(_DECODE(data)))
    except Refused as refused:  # anything else ends the process, and the parent decides about the photo
        return RenderResult(refusal=refused.refusal, detail=refused.detail)


def _confine(lane: Lane, parent: int, nicer: int) -> None:
    _limit(resource.RLIMIT_DATA, photo.MEMORY_BYTES_MAX[lane])
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(nicer)
    # a decoder that hangs would not see its input close when the parent is killed
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _start_clock(cpu_seconds: int) -> None:
    """Let the kernel end this process by SIGXCPU when the next photo takes too long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + cpu_seconds)


def main() -> None:
    """Work until the input ends."""
    lane, cpu_seconds = Lane(sys.argv[1]), int(sys.argv[2])
    _confine(lane, int(sys.argv[3]), int(sys.argv[4]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    pyvips.cache_set_max(0)  # no photo is decoded twice
    libc = ctypes.CDLL(None)
    photos, results = sys.stdin.buffer, sys.stdout.buffer
    while (data := _frame(photos)) is not None:
        _start_clock(cpu_seconds)
        encoded = msgspec.msgpack.encode(_outcome(data))
        del data
        results.write(len(encoded).to_bytes(LENGTH_BYTES, "big"))
        results.write(encoded)
        results.flush()
        del encoded
        libc.malloc_trim(0)  # so that one photo's memory does not count against the next one's limit


if __name__ == "__main__":
    main()
