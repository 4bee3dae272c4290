"""Free ports for a stack, below the range from which the kernel takes ports for outgoing connections.

A port of that range could be taken by a client between our check and the server's bind; below it only by another
listener, and the search starts at a random port, so that two stacks that start at once rarely collide. A program that
starts many stacks gives each a range of its own in `RANGE_VARIABLE`, such as ``12000-18000``: then they never do.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterable, Mapping
from typing import Final

from stack.failure import StackFailure

LOWEST: Final = 12_000
HIGHEST: Final = 32_000
RANGE_VARIABLE: Final = "WINDTUNNEL_PORTS"


def choose(
    names: Iterable[str], wanted: Mapping[str, int], *, before: Mapping[str, int] | None = None, host: str = "127.0.0.1"
) -> dict[str, int]:
    """A port for each name: the wanted one, the one it had ``before`` if that is still free, or a free one.

    Raises StackFailure when a wanted port is taken.
    """
    names = tuple(names)
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise StackFailure(
            f"no process of this stack is called {', '.join(unknown)}", hint=f"one of {', '.join(names)}"
        )
    chosen = dict(wanted)
    for name, port in wanted.items():
        if not _is_free(host, port):
            raise StackFailure(f"port {port}, wanted for {name}, is taken", hint="choose another, or stop its owner")
    taken = set(chosen.values())
    for name, port in (before or {}).items():
        if name in names and name not in chosen and port not in taken and _is_free(host, port):
            chosen[name] = port
            taken.add(port)
    lowest, highest = _range(os.environ.get(RANGE_VARIABLE, ""))
    candidate = random.SystemRandom().randrange(lowest, highest)
    for _ in range(highest - lowest):
        missing = next((name for name in names if name not in chosen), None)
        if missing is None:
            return chosen
        if candidate not in taken and _is_free(host, candidate):
            chosen[missing] = candidate
            taken.add(candidate)
        candidate = lowest + (candidate + 1 - lowest) % (highest - lowest)
    if set(names) <= set(chosen):
        return chosen
    raise StackFailure(f"no free port between {lowest} and {highest}", hint="stop other stacks")


def _range(text: str) -> tuple[int, int]:
    """The lowest port and the first above the range that ``text`` gives; ours where it is empty."""
    if not text:
        return LOWEST, HIGHEST
    lowest, _, highest = text.partition("-")
    if lowest.isdecimal() and highest.isdecimal() and 0 < int(lowest) < int(highest) <= 65_536:
        return int(lowest), int(highest)
    raise StackFailure(f"{RANGE_VARIABLE} is {text!r}", hint=f"give a range of ports, such as {LOWEST}-{HIGHEST}")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # a server can listen on a port in TIME_WAIT, but not on one with a listener
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
        return True
