"""Which page starts which server, and what every such page must have."""

from __future__ import annotations

from typing import Final, Protocol

from core.names import Server
from stack.backing import clamd, front, gateway, kafka, objects, postgres, prometheus, redis, toxiproxy, varnish
from stack.command import Command
from stack.plan import Process, StackPlan
from stack.probe import Probe


class Backing(Protocol):
    """A page of this folder."""

    def prepare(self, plan: StackPlan, process: Process, /) -> Command:
        """Write what the server needs, and say how to start it. Blocking; raises StackFailure."""

    def ready(self, plan: StackPlan, process: Process, /) -> None:
        """Raise NotReady until the server answers its own protocol. Blocking, at most a few seconds."""

    def question(self, plan: StackPlan, process: Process, /) -> Probe:
        """What a running server is asked over and over, and answers even when it is busy."""

    def settle(self, plan: StackPlan, process: Process, /) -> None:
        """Make what its users rely on (schemas, topics, buckets, proxies). May run again: after every start."""


BACKINGS: Final[dict[Server, Backing]] = {
    Server.GATEWAY: gateway,
    Server.POSTGRES: postgres,
    Server.REDIS: redis,
    Server.KAFKA: kafka,
    Server.OBJECTS: objects,
    Server.FRONT: front,
    Server.EDGE: varnish,
    Server.SHIELD: varnish,
    Server.TOXIPROXY: toxiproxy,
    Server.PROMETHEUS: prometheus,
    Server.CLAMD: clamd,
}
#: Programs that must be there before anything is started.
PROGRAMS: Final[dict[Server, tuple[str, ...]]] = {
    Server.GATEWAY: ("haproxy",),
    Server.POSTGRES: ("postgres", "initdb"),
    Server.REDIS: ("redis-server",),
    Server.KAFKA: ("java",),
    Server.OBJECTS: ("versitygw",),
    Server.FRONT: ("haproxy",),
    Server.EDGE: ("varnishd", "varnishstat"),
    Server.SHIELD: ("varnishd", "varnishstat"),
    Server.TOXIPROXY: ("toxiproxy",),
    Server.PROMETHEUS: ("prometheus",),
    Server.CLAMD: ("clamd",),
}
