"""The supervisor's state of each process, and the snapshot of it for other programs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from core.names import Server
from core.policies import restarts
from records import alive
from stack import state
from stack.backing.registry import Backing
from stack.command import Command
from stack.plan import Process, StackPlan
from stack.processes import Child
from stack.watch import Watch

#: States of a process that runs and was ready at least once.
LIVE: Final = frozenset({"ready", "paused", "unresponsive"})
_SAID_MAX: Final = 300  # characters of a log's last line that are kept with a death


@dataclass(slots=True)
class SupervisedProcess:
    """A process and the supervisor's state of it."""

    process: Process
    backing: Backing
    command: Command | None = None
    child: Child | None = None
    state: str = "waiting"
    restarts: int = 0
    deaths: int = 0  # in a row, as `core.policies.restarts` counts them
    ready_at: float = 0.0  # monotonic; 0 if it has not been ready since it was started
    end: str = ""  # how it ended last
    end_said: str = ""  # the last line of its log then
    end_at: float = 0.0  # Unix time
    doom: str = ""  # why the supervisor kills it
    watch: Watch | None = None
    up: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self) -> None:
        """Note that the process answers."""
        self.state, self.ready_at = "ready", time.monotonic()
        self.up.set()

    def unwatch(self) -> None:
        """Stop watching the process."""
        if self.watch is not None:
            self.watch.close()
            self.watch = None

    def died(self, how: str, said: str) -> None:
        """Note that the process ended unexpectedly."""
        self.unwatch()
        served = time.monotonic() - self.ready_at if self.ready_at else 0.0
        self.deaths = restarts.deaths_in_a_row(self.deaths, served)
        self.state, self.ready_at = "died", 0.0
        self.end, self.end_said, self.end_at = self.doom or how, said[:_SAID_MAX], time.time()
        self.doom = ""


def snapshot(plan: StackPlan, processes: Iterable[SupervisedProcess], now: str, started_at: float) -> state.StackState:
    """The content of `stack.json`; ``now`` is the stack's state, ``started_at`` is Unix time."""

    def url(server: Server) -> str:
        return next((process.address.url for process in plan.processes if process.server is server), "")

    pid = os.getpid()
    return state.StackState(
        scenario=plan.scenario.name,
        scenario_path=plan.scenario_path,
        data=str(plan.data),
        state=now,
        supervisor_pid=pid,
        supervisor_ticks=alive.ticks_of(pid),
        guard_pid=os.getppid(),
        started_at=started_at,
        cores=plan.cores,
        load_cores=plan.scenario.system.placement.cores.load,
        gateway_url=plan.gateway.url,
        media_url=plan.edge.url,
        objects_url=plan.objects.url,
        toxiproxy_url=url(Server.TOXIPROXY),
        prometheus_url=url(Server.PROMETHEUS),
        kafka=url(Server.KAFKA).removeprefix("http://"),
        redis=url(Server.REDIS).removeprefix("http://"),
        postgres=plan.postgres_dsns,
        stores={str(component): stores for component, stores in plan.stores.items()},
        keys=plan.keys,
        proxies={
            link: tuple(proxy.name for proxy in plan.proxies if proxy.link == link)
            for link in dict.fromkeys(proxy.link for proxy in plan.proxies)
        },
        components=plan.component_urls(),
        processes=tuple(_seen(plan, supervised) for supervised in processes),
    )


def _seen(plan: StackPlan, supervised: SupervisedProcess) -> state.ProcessState:
    child = supervised.child if supervised.child is not None and supervised.child.exit_code is None else None
    return state.ProcessState(
        name=supervised.process.name,
        pid=child.pid if child else 0,
        started_ticks=child.started_ticks if child else 0,
        state=supervised.state,
        port=supervised.process.address.port,
        log=str(plan.log(supervised.process.name)),
        restarts=supervised.restarts,
        end=supervised.end,
        end_said=supervised.end_said,
        end_at=supervised.end_at,
        started_at=child.started_at if child else 0.0,
    )
