"""The process that a photo is decoded in: reads photos from its input, writes what it made of them to its output.

Decoders are where hostile files do harm, so they run here: with a bound on memory, with no connection to anything, and
under a parent that ends this process when it takes too long. Frames are eight bytes of length and then the bytes. It
imports nothing of the service but its rules, and so starts in a fifth of a second.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import BinaryIO, Final

import msgspec
import pyvips

from services.media.rules.gate import Refused
from services.media.rules.render import render
from services.media.rules.work import MEMORY_BYTES_MAX, Outcome

LENGTH_BYTES: Final = 8
_PR_SET_PDEATHSIG: Final = 1


def _frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    wanted = int.from_bytes(head, "big")
    data = stream.read(wanted)
    return data if len(data) == wanted else None


def _outcome(data: bytes) -> Outcome:
    try:
        return Outcome(renderings=render(data))
    except Refused as refused:  # anything else ends the process, and the parent tries again with a fresh one
        return Outcome(refusal=refused.refusal, detail=refused.detail)


def _confine(parent: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MEMORY_BYTES_MAX if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES_MAX, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # a decoder that hangs would not see its input close when the parent is killed
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def main() -> None:
    """Work until the input ends."""
    _confine(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    pyvips.cache_set_max(0)  # no photo comes twice
    photos, results = sys.stdin.buffer, sys.stdout.buffer
    while (data := _frame(photos)) is not None:
        encoded = msgspec.msgpack.encode(_outcome(data))
        results.write(len(encoded).to_bytes(LENGTH_BYTES, "big"))
        results.write(encoded)
        results.flush()


if __name__ == "__main__":
    main()
