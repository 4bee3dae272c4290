"""The module that starts each server, and the interface of these modules."""

from __future__ import annotations

from typing import Final, Protocol

from core.names import Server
from stack.backing import clamd, front, gateway, kafka, objects, postgres, prometheus, redis, toxiproxy, varnish
from stack.command import Command
from stack.plan import Process, StackPlan
from stack.probe import Probe


class Backing(Protocol):
    """A module of this folder."""

    def prepare(self, plan: StackPlan, process: Process, /) -> Command:
        """Write what the server needs, and say how to start it. Blocking; raises StackFailure."""

    def ready(self, plan: StackPlan, process: Process, /) -> None:
        """Raise NotReady until the server answers its own protocol. Blocking, at most a few seconds."""

    def question(self, plan: StackPlan, process: Process, /) -> Probe:
        """The health check of a running server, which it answers even when it is busy."""

    def settle(self, plan: StackPlan, process: Process, /) -> None:
        """Create what its users rely on (schemas, topics, buckets, proxies). Runs again after every start."""


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
#: Programs that must exist before anything is started.
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
