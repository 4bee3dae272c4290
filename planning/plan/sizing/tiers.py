"""Needs of each tier by resource, so that the binding one is visible.

Services are processes of one core each on a shared pool of machines; stores have their own nodes. A need is what must
work when the spares are down; `size` adds the spares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.names import USES, Component, Server, link
from core.operations import FEED_READ, IMAGE_READ, OBJECT_PUT, OPERATIONS
from planning.plan.brief import Brief, GroupKind, PlanError
from planning.plan.demand.contents import EVENT_READERS, LOG_DAYS
from planning.plan.demand.workload import DAY_SECONDS, Moment
from planning.plan.queueing.paths import AWAY
from planning.plan.sizing.shapes import Shape

#: Memory of one process of ours (an aiohttp process with its models and pools; the planner's own assumption).
PROCESS_BYTES: Final = 300 * 2**20
#: The usable share of a machine's memory, network and disk; the rest is for the system, bursts and rebuilds.
MEMORY_RATIO: Final = 0.75
NETWORK_RATIO: Final = 0.6
DISK_RATIO: Final = 0.8
#: A gp3 volume: bytes and operations a second at most, operations that are free of charge.
VOLUME_BYTES: Final = 16 * 2**40
VOLUME_IOPS: Final = 16_000.0
FREE_IOPS: Final = 3_000.0
#: Disk operations of one commit: the log's flush, and the pages written later.
COMMIT_IOPS: Final = 2.0
#: Copies of the log's partitions, and brokers below which there is no majority.
LOG_COPIES: Final = 3
#: Bytes of a request, headers and all.
REQUEST_BYTES: Final = 700.0
#: Memory of one connection to a server, which bounds their number.
CONNECTION_BYTES: Final = 10 * 2**20
_EPSILON: Final = 1e-9
#: Requests that one component of one process takes at once (`core.settings.ProcessSettings.inflight_max`).
REQUESTS: Final = "requests under way"
PHOTOS: Final = "media workers"


def ceil(value: float) -> int:
    """Round up, with a tolerance for floating-point error."""
    return max(0, math.ceil(value - _EPSILON * max(1.0, abs(value))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one resource needs."""

    resource: str
    exact: float  # instances, not rounded
    says: str  # what needs it, with numbers

    @property
    def count(self) -> int:
        """Whole instances."""
        return ceil(self.exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What moves in one region in the busiest hour, in bytes and requests a second."""

    network_bytes_per_second: Mapping[str, float]  # by group: the larger of in and out
    zones_bytes_per_second: float  # between machines of the region
    answers_bytes_per_second: float  # of the API to clients
    image_bytes_per_second: float  # of the CDN to clients
    images_per_second: float
    shield_bytes_per_second: float  # what the edge misses
    origin_bytes_per_second: float  # what both tiers miss


def volume(brief: Brief, region: str, moment: Moment) -> Volume:
    """Bytes on the network, from the round trips of the operations' flows."""
    rates = brief.workload.rates(region, moment)
    inside: dict[str, list[float]] = {}
    zones = 0.0
    for name, operation in brief.demands.operations.items():
        for chance, path in zip(operation.probabilities(brief.miss_ratio), operation.paths, strict=True):
            for segment in (*path.segment.every(), *path.beside.every()):
                for trip in segment.trips:
                    if trip.link == AWAY:
                        continue  # the bytes are counted on the link itself
                    caller, callee = _ends(trip.link, brief)
                    weight = rates.get(name, 0.0) * chance
                    asked, answered = weight * trip.count * REQUEST_BYTES, weight * trip.answer_bytes
                    if caller:
                        _add(inside, caller, sent=asked, received=answered)
                    _add(inside, callee, sent=answered, received=asked)
                    if caller and GroupKind.VOLUME not in (brief.kinds[caller], brief.kinds[callee]):
                        zones += asked + answered
    images = rates.get(IMAGE_READ, 0.0)
    missed = images * brief.miss_ratio["edge"]
    size = brief.sizes.image_bytes
    feeds = rates.get(FEED_READ, 0.0)
    past = (FEED_READ, IMAGE_READ, OBJECT_PUT)
    others = sum(rate for name, rate in rates.items() if name not in past and name in OPERATIONS)
    return Volume(
        network_bytes_per_second={name: max(each) for name, each in inside.items()},
        zones_bytes_per_second=zones,
        answers_bytes_per_second=feeds * brief.sizes.feed_bytes + others * brief.sizes.answer_bytes,
        image_bytes_per_second=images * size,
        images_per_second=images,
        shield_bytes_per_second=missed * size,
        origin_bytes_per_second=missed * brief.miss_ratio["shield"] * size,
    )


def _ends(name: str, brief: Brief) -> tuple[str, str]:
    """(group that calls, "" where it is a client; group that is called) of a link."""
    for caller in ("client", *brief.group_of):
        if name.startswith(f"{caller}_"):
            callee = name.removeprefix(f"{caller}_")
            if callee in brief.group_of and link(caller, callee) == name:
                return brief.group_of.get(caller, ""), brief.group_of[callee]
    raise PlanError(f"link {name}: between what?")


def _add(inside: dict[str, list[float]], group: str, *, sent: float, received: float) -> None:
    known = inside.setdefault(group, [0.0, 0.0])
    known[0] += sent
    known[1] += received


def service_needs(*, cores: float, busy: float, speed: float, room: Mapping[str, float]) -> tuple[Need, ...]:
    """Processes of a service: ``cores`` are the calibrated cores it keeps busy, ``busy`` is how busy a process may be
    by the latency limits, ``room`` how busy it may be before it cannot take more of something."""
    work = cores / speed
    needs = [Need(resource="CPU", exact=work / busy, says=f"{_number(work)} cores busy at {busy:.0%}")]
    needs += [
        Need(resource=what, exact=work / full, says=f"no room for more at {full:.0%}")
        for what, full in room.items()
        if full < busy
    ]
    return _binding_first(needs)


def pool_needs(shape: Shape, *, processes: int, network_bytes_per_second: float) -> tuple[Need, ...]:
    """Machines of the services' pool."""
    memory = processes * PROCESS_BYTES
    return _binding_first(
        [
            Need(resource="CPU", exact=processes / shape.vcpu, says=f"{processes:,} processes, {shape.vcpu} on each"),
            _memory(shape, memory, "of processes"),
            _network(shape, network_bytes_per_second),
        ]
    )


def redis_needs(
    shape: Shape, *, cores: float, busy: float, memory_bytes: float, network_bytes_per_second: float
) -> tuple[Need, ...]:
    """Redis nodes: each has one thread, so a managed node works one of its cores; a plain machine runs one per core."""
    loops = 1 if shape.managed else shape.vcpu
    return _binding_first(
        [
            Need(
                resource="CPU",
                exact=cores / (shape.speed * busy * loops),
                says=f"{_number(cores / shape.speed)} cores busy at {busy:.0%}, {loops} on each",
            ),
            _memory(shape, memory_bytes, "held"),
            _network(shape, network_bytes_per_second),
        ]
    )


def postgres_needs(
    shape: Shape,
    *,
    cores: float,
    busy: float,
    disk_bytes: float,
    commits_per_second: float,
    network_bytes_per_second: float,
) -> tuple[Need, ...]:
    """Primaries of PostgreSQL."""
    return _binding_first(
        [
            _cpu(shape, cores, busy),
            _disk(disk_bytes, "of rows"),
            Need(
                resource="disk operations",
                exact=commits_per_second * COMMIT_IOPS / (DISK_RATIO * VOLUME_IOPS),
                says=f"{_number(commits_per_second)} commits/s",
            ),
            _network(shape, network_bytes_per_second),
        ]
    )


def kafka_needs(shape: Shape, *, cores: float, busy: float, bytes_per_second: float) -> tuple[Need, ...]:
    """Brokers: every byte is received ``LOG_COPIES`` times and sent to followers and readers."""
    out = bytes_per_second * (LOG_COPIES - 1 + EVENT_READERS)
    disk = bytes_per_second * LOG_COPIES * LOG_DAYS * DAY_SECONDS
    return _binding_first(
        [
            _cpu(shape, cores, busy),
            _network(shape, max(out, bytes_per_second * LOG_COPIES)),
            _disk(disk, f"of {LOG_DAYS:g} d, {LOG_COPIES} copies"),
            Need(resource="majority", exact=float(LOG_COPIES), says=f"{LOG_COPIES} copies on brokers of their own"),
        ]
    )


def connections(brief: Brief, *, processes: Mapping[str, int]) -> int:
    """Connections that services may open to one instance of PostgreSQL."""
    pool = brief.scenario.system.shards.connections
    users = {
        name: sum(1 for component in members if _uses_postgres(component))
        for name, members in brief.scenario.system.placement.processes.items()
    }
    return sum(processes.get(name, 0) * count * pool for name, count in users.items())


def _uses_postgres(component: Component) -> bool:
    return Server.POSTGRES in USES[component]


def _cpu(shape: Shape, cores: float, busy: float) -> Need:
    """Machines whose cores are all used, each ``busy`` of the time."""
    says = f"{_number(cores / shape.speed)} cores busy at {busy:.0%}"
    return Need(resource="CPU", exact=cores / (shape.work * busy), says=says)


def _memory(shape: Shape, held: float, what: str) -> Need:
    return Need(resource="memory", exact=held / (MEMORY_RATIO * shape.memory_bytes), says=f"{_bytes(held)} {what}")


def _disk(held: float, what: str) -> Need:
    return Need(resource="disk", exact=held / (DISK_RATIO * VOLUME_BYTES), says=f"{_bytes(held)} {what}")


def _network(shape: Shape, bytes_per_second: float) -> Need:
    return Need(
        resource="network",
        exact=bytes_per_second / (NETWORK_RATIO * shape.network_bytes_per_second),
        says=f"{_number(bytes_per_second * 8 / 1e9)} Gbit/s",
    )


def _binding_first(needs: list[Need]) -> tuple[Need, ...]:
    return tuple(sorted(needs, key=lambda need: -need.exact))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def _bytes(value: float) -> str:
    for unit, size in (("PiB", 2**50), ("TiB", 2**40), ("GiB", 2**30)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 2**20:.3g} MiB"
