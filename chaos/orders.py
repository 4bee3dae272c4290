"""What a warden is told: each fault in terms of proxies, toxics and processes, with the times at which it acts.

It is one line of JSON on the warden's standard input, so that it needs neither the scenario nor the stack's files: a
warden must start fast and go on when everything else of ours is dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from core import faults
from core.names import FaultKind

if TYPE_CHECKING:
    from core.scenario.model import Fault, Scenario  # pydantic is slow to import, and a warden does not need it

#: Names of our toxics begin so; whatever has such a name and is not ours now was left behind by a runner that died.
PREFIX: Final = "windtunnel_"


class Toxic(msgspec.Struct, frozen=True, kw_only=True):
    """One toxic as Toxiproxy names things; attributes are whole numbers in its units (ms, kB a second)."""

    name: str
    type: str
    stream: str  # downstream: towards the caller
    attributes: dict[str, int]


class LinkOrder(msgspec.Struct, frozen=True, kw_only=True, tag="link"):
    """Break a link: put ``toxics`` on each of ``proxies``, or switch the proxies off when there are none."""

    number: int  # of the fault in the scenario
    target: str
    kind: FaultKind
    begins_seconds: float  # from t0
    ends_seconds: float
    proxies: tuple[str, ...]
    speaks: str  # protocol behind the link, for the proof: redis, postgres, kafka, clamd, http
    toxics: tuple[Toxic, ...] = ()
    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bandwidth_bytes: int = 0  # a second


class ProcessOrder(msgspec.Struct, frozen=True, kw_only=True, tag="process"):
    """Kill, pause or restart a process. ``hold`` is a file whose presence keeps its supervisor away from it."""

    number: int
    target: str
    kind: FaultKind
    begins_seconds: float
    ends_seconds: float
    pid: int
    stack_file: str = ""  # where the stack tells pids as they are, which a death before the fault changes
    hold: str = ""


Order = LinkOrder | ProcessOrder


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """The whole line."""

    t0_unix: float  # wall clock of t0
    toxiproxy_url: str = ""  # needed where an order is about a link
    orders: tuple[Order, ...] = ()


class OrdersError(ValueError):
    """A fault that this stack cannot be given; the message says which and why."""


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
    whose supervisor keeps pids and looks for holds there.
    """
    return Orders(
        t0_unix=t0_unix,
        toxiproxy_url=toxiproxy_url,
        orders=tuple(
            _order(number, fault, proxies, processes, stack_data) for number, fault in enumerate(scenario.faults)
        ),
    )


def toxics_of(number: int, fault: Fault) -> tuple[Toxic, ...]:
    """Toxics of a fault on a link; none for ``down``, which switches the proxy off.

    Latency is added once per round trip, on the way back; a narrow link is narrow both ways.
    """
    kind = fault.kind
    if kind is FaultKind.LATENCY:
        attributes = {"latency": _milliseconds(fault.latency_seconds), "jitter": _milliseconds(fault.jitter_seconds)}
        return (_toxic(number, "latency", "downstream", attributes),)
    if kind is FaultKind.BANDWIDTH:
        rate = {"rate": faults.carried_bytes(fault) // 1000}
        return tuple(_toxic(number, "bandwidth", stream, rate) for stream in ("upstream", "downstream"))
    if kind is FaultKind.TIMEOUT:
        return (_toxic(number, "timeout", "downstream", {"timeout": _milliseconds(fault.timeout_seconds)}),)
    if kind is FaultKind.RESET:
        # with a time-out, removing it would block for that long
        return (_toxic(number, "reset_peer", "downstream", {"timeout": 0}),)
    return ()


def _order(
    number: int, fault: Fault, proxies: Mapping[str, Sequence[str]], processes: Mapping[str, int], stack_data: str
) -> Order:
    if fault.link is not None:
        names = tuple(proxies.get(fault.link, ()))
        if not names:
            raise OrdersError(f"faults[{number}]: the stack has no proxy on {fault.link}")
        return LinkOrder(
            number=number,
            target=fault.link,
            kind=fault.kind,
            begins_seconds=fault.at_seconds,
            ends_seconds=fault.end_seconds,
            proxies=names,
            speaks=faults.protocol(fault.link),
            toxics=toxics_of(number, fault),
            latency_seconds=fault.latency_seconds or 0.0,
            jitter_seconds=fault.jitter_seconds,
            bandwidth_bytes=fault.bandwidth_bytes or 0,
        )
    name = fault.process or ""
    if name not in processes:
        raise OrdersError(f"faults[{number}]: no process {name} runs; there are {', '.join(sorted(processes))}")
    # a kill without a time is left to the supervisor, which starts it again as it would after any death
    held = bool(stack_data) and fault.for_seconds > 0
    return ProcessOrder(
        number=number,
        target=name,
        kind=fault.kind,
        begins_seconds=fault.at_seconds,
        ends_seconds=fault.end_seconds,
        pid=processes[name],
        stack_file=f"{stack_data}/stack.json" if stack_data else "",
        hold=f"{stack_data}/holds/{name}" if held else "",
    )


def _toxic(number: int, kind: str, stream: str, attributes: dict[str, int]) -> Toxic:
    return Toxic(name=f"{PREFIX}{number}_{kind}_{stream}", type=kind, stream=stream, attributes=attributes)


def _milliseconds(seconds: float | None) -> int:
    return round((seconds or 0.0) * 1000)
