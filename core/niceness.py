"""Niceness: which processes and threads leave the processor to those that a client waits for.

Linux divides a core among all that want it by weight, and weights fall with niceness (sched(7)). So background work
yields to readers, and still gets its share of a core that readers keep busy: it is never starved. Raising one's own
niceness needs no privilege. This is the only place that says who yields and by how much: the stack starts processes
with it, services set it for their threads and decoders, and the model's hosts share their cores by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.names import Component, Server
from core.policies.photo import Lane

#: The kernel's weight of each niceness from 0 to 19 (``sched_prio_to_weight`` in kernel/sched/core.c).
WEIGHTS: Final = (1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15)
#: Of work that no client waits for: a third of a reader's share.
BACKGROUND: Final = 5

#: Components that serve no operation. A process has the lowest niceness of its components.
COMPONENTS: Final = dict.fromkeys((Component.MEDIA, Component.FANOUT, Component.DISCOVERY, Component.ADS), BACKGROUND)
#: Servers that no request waits for: a write waits for its transaction, not for the log.
SERVERS: Final = dict.fromkeys((Server.KAFKA, Server.CLAMD, Server.PROMETHEUS), BACKGROUND)
#: Processes that decode photos, by lane: slow photos get what all other work leaves.
DECODERS: Final = {Lane.LIGHT: BACKGROUND, Lane.HEAVY: 2 * BACKGROUND}
#: Threads of a process that serves readers.
INDEXING: Final = BACKGROUND  # the one that writes the search index
PASSWORDS: Final = 5  # those that hash passwords


def of_components(components: Iterable[Component]) -> int:
    """Niceness of a process with these components."""
    return min(COMPONENTS.get(component, 0) for component in components)


def of_server(server: Server) -> int:
    """Niceness of a server's processes."""
    return SERVERS.get(server, 0)
