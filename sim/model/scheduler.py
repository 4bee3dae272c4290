"""What both engines take as equal when they share a core (`sim.reference.run_queue`)."""

from __future__ import annotations

from typing import Final

#: Virtual times closer than this are equal: a nanosecond, the unit of the kernel.
EQUAL_SECONDS: Final = 1e-9
#: Share of a tick within which a time is at the tick.
AT_TICK: Final = 1e-6
