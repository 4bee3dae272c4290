"""Orders to a warden: each fault as proxies, toxics and processes, with the times at which it acts.

They are one line of JSON on the warden's standard input, so that it needs neither the scenario nor the stack's files: a
warden must start fast, and continue when all our other processes are dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, assert_never

import msgspec

from core import faults
from core.faults import Effect

if TYPE_CHECKING:  # pydantic is slow to import, and a warden does not need it
    from core.scenario.fault import LinkFault, ProcessFault
    from core.scenario.faults import Fault
    from core.scenario.model import Scenario

#: Prefix of our toxics' names; a toxic with it that we did not add was left behind by a runner that died.
PREFIX: Final = "windtunnel_"


class Toxic(msgspec.Struct, frozen=True, kw_only=True):
    """One toxic in Toxiproxy's terms; attributes are whole numbers in its units (ms, kB per second)."""

    name: str
    type: str
    stream: str  # downstream: towards the caller
    attributes: dict[str, int]


class LinkOrder(msgspec.Struct, frozen=True, kw_only=True, tag="link"):
    """Break a link: add ``toxics`` to each of ``proxies``, or disable the proxies when there are none."""

    number: int  # of the fault in the scenario
    target: str
    kind: str
    begins_seconds: float  # from t0
    ends_seconds: float
    proxies: tuple[str, ...]
    speaks: str  # protocol behind the link, for the proof: redis, postgres, kafka, clamd, http
    effect: Effect
    toxics: tuple[Toxic, ...] = ()


class ProcessOrder(msgspec.Struct, frozen=True, kw_only=True, tag="process"):
    """Kill, pause or restart a process. ``hold`` is a file whose presence keeps its supervisor away from it."""

    number: int
    target: str
    kind: Literal["kill", "pause", "restart"]
    begins_seconds: float
    ends_seconds: float
    pid: int
    stack_file: str = ""  # has the current pids, which a death before the fault changes
    hold: str = ""


Order = LinkOrder | ProcessOrder


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """All orders, as one line of JSON."""

    t0_unix: float  # wall clock of t0
    toxiproxy_url: str = ""  # needed for orders about links
    orders: tuple[Order, ...] = ()


class OrdersError(ValueError):
    """A fault that cannot be injected into this stack; the message says which and why."""


def of_scenario(
    scenario: Scenario,
    *,
    t0_unix: float,
    toxiproxy_url: str,
    proxies: Mapping[str, Sequence[str]],
    processes: Mapping[str, int],
    stack_data: str = "",
) -> Orders:
    """Turn the faults of ``scenario`` into orders; raises OrdersError.

    ``proxies`` are Toxiproxy's names by link, ``processes`` pids by name, ``stack_data`` the folder of a running stack,
    where its supervisor keeps pids and looks for holds.
    """
    return Orders(
        t0_unix=t0_unix,
        toxiproxy_url=toxiproxy_url,
        orders=tuple(
            _order(number, fault, proxies, processes, stack_data) for number, fault in enumerate(scenario.faults)
        ),
    )


def toxics_of(number: int, fault: LinkFault) -> tuple[Toxic, ...]:
    """Toxics of a fault on a link, with their names; none if the proxy is disabled instead."""
    return tuple(Toxic(name=f"{PREFIX}{number}_{each.type}_{each.stream}", **each._asdict()) for each in fault.toxics)


def link_order(number: int, fault: LinkFault, proxies: Sequence[str]) -> LinkOrder:
    """A fault on a link through ``proxies``."""
    return LinkOrder(
        number=number,
        target=fault.target,
        kind=fault.kind,
        begins_seconds=fault.at_seconds,
        ends_seconds=fault.end_seconds,
        proxies=tuple(proxies),
        speaks=faults.protocol(fault.link),
        toxics=toxics_of(number, fault),
        effect=fault.effect,
    )


def _order(
    number: int, fault: Fault, proxies: Mapping[str, Sequence[str]], processes: Mapping[str, int], stack_data: str
) -> Order:
    from core.scenario.fault import LinkFault, ProcessFault  # as above
    from core.scenario.faults import Lost

    match fault:
        case LinkFault():
            if not proxies.get(fault.link):
                raise OrdersError(f"faults[{number}]: the stack has no proxy on {fault.link}")
            return link_order(number, fault, proxies[fault.link])
        case ProcessFault():
            return _process_order(number, fault, processes, stack_data)
        case Lost():
            raise OrdersError(f"faults[{number}]: a stack cannot lose a region; simulate this scenario instead")
        case _:
            assert_never(fault)


def _process_order(number: int, fault: ProcessFault, processes: Mapping[str, int], stack_data: str) -> ProcessOrder:
    name = fault.process
    if name not in processes:
        raise OrdersError(f"faults[{number}]: no process {name} runs; there are {', '.join(sorted(processes))}")
    # after a kill without a time the supervisor starts the process again, as after any death
    held = bool(stack_data) and fault.for_seconds > 0
    return ProcessOrder(
        number=number,
        target=name,
        kind=fault.action,
        begins_seconds=fault.at_seconds,
        ends_seconds=fault.end_seconds,
        pid=processes[name],
        stack_file=f"{stack_data}/stack.json" if stack_data else "",
        hold=f"{stack_data}/holds/{name}" if held else "",
    )
