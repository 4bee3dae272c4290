"""The scenario's faults: toxics on links, processes that are killed, paused or restarted, regions that are lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, assert_never

from core.names import Cache, Server
from core.policies import restarts
from core.profile import Profile
from core.scenario import Scenario
from core.scenario.fault import AnyFault, LinkFault, ProcessFault
from core.scenario.faults import Lost
from sim.model.layout import Layout
from sim.model.resources import Resources

#: From start to first answer, for want of a measured ``restart.<process>`` delay in the profile: PostgreSQL's and
#: Redis's by their logs, Kafka's from its readiness, our processes' by their imports.
_STARTS_SECONDS: Final = {Server.KAFKA: 4.0, Server.POSTGRES: 1.0, Server.REDIS: 0.3}
_SERVICE_STARTS_SECONDS: Final = 1.5
_SERVER_STARTS_SECONDS: Final = 0.5
#: Caches that are lost with the process that holds them.
_HELD: Final = {
    str(Server.REDIS): (Cache.TIMELINE, Cache.POST_CARD, Cache.AUTHOR_CARD),
    str(Server.EDGE): (Cache.EDGE,),
    str(Server.SHIELD): (Cache.SHIELD,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledFault:
    """One fault as every engine does it: what it acts on, by its index in `sim.model.resources.Resources`.

    It ends ``for_seconds`` after its beginning.
    """

    index: int  # of the fault in the scenario
    fault: AnyFault
    at_seconds: float
    for_seconds: float
    link: str | None = None
    regions: tuple[int, ...] = (0,)  # whose link it is, or which is lost
    stations: tuple[int, ...] = ()
    caches: tuple[int, ...] = ()  # that are lost …
    node: int = 0  # … as far as this node of …
    nodes: int = 1  # … so many held them

    @property
    def values(self) -> dict[str, Any]:
        """What the journal says of it."""
        return {"fault": self.index, "kind": self.fault.kind, "target": self.fault.target}


class FaultError(ValueError):
    """A fault that can do nothing in this scenario; the message names its field."""


def schedule(
    resources: Resources, *, scenario: Scenario, profile: Profile, layout: Layout
) -> tuple[ScheduledFault, ...]:
    """What every fault of ``scenario`` does; raises FaultError where one names a process that does not exist, or a link
    that no operation of its traffic crosses."""
    found: list[ScheduledFault] = []
    deaths: dict[int, tuple[int, float]] = {}  # by place: how many in a row, and when it was back
    for index, fault in enumerate(scenario.faults):
        match fault:
            case LinkFault():
                found.append(_on_link(resources, index, fault))
            case ProcessFault():
                found.append(_on_process(resources, layout, index, fault, profile, deaths))
            case Lost():
                found.append(_loss(resources, layout, index, fault))
            case _:
                assert_never(fault)
    return tuple(found)


def _on_link(resources: Resources, index: int, fault: LinkFault) -> ScheduledFault:
    if not resources.crosses(fault.link):
        crossed = ", ".join(sorted(spec.name for spec in resources.links))
        raise FaultError(
            f"faults[{index}].link: found {fault.link}, which no operation of this traffic crosses; "
            f"it crosses {crossed}"
        )
    names = resources.regions
    return ScheduledFault(
        index=index,
        fault=fault,
        at_seconds=fault.at_seconds,
        for_seconds=fault.for_seconds,
        link=fault.link,
        regions=tuple(range(len(names))) if fault.region is None else (names.index(fault.region),),
    )


def _on_process(
    resources: Resources,
    layout: Layout,
    index: int,
    fault: ProcessFault,
    profile: Profile,
    deaths: dict[int, tuple[int, float]],
) -> ScheduledFault:
    places = layout.named(fault.process)[:1]  # one process: the first instance of what is named
    if not places:
        known = ", ".join(process.name for process in layout.processes)
        raise FaultError(f"faults[{index}].process: found {fault.process}; expected one of {known}")
    seconds, nodes = fault.for_seconds, layout.processes_of(Server.REDIS)
    if fault.ends:
        count, back_at = deaths.get(places[0], (0, 0.0))
        count = restarts.deaths_in_a_row(count, max(0.0, fault.at_seconds - back_at))
        seconds = max(seconds, down_seconds(layout, places[0], profile, deaths=count))
        deaths[places[0]] = (count, fault.at_seconds + seconds)
    threads = places[0] + len(layout.processes)
    place = places[0] % layout.span
    return ScheduledFault(
        index=index,
        fault=fault,
        at_seconds=fault.at_seconds,
        for_seconds=seconds,
        regions=(places[0] // layout.span,),
        stations=(places[0], threads),
        caches=_held(resources, layout, places[0]) if fault.ends else (),
        node=nodes.index(place) if place in nodes else 0,
        nodes=len(nodes) if place in nodes else 1,
    )


def _loss(resources: Resources, layout: Layout, index: int, fault: Lost) -> ScheduledFault:
    """Everything of a region at once, its caches too."""
    region = layout.regions.index(fault.region)
    span, caches = layout.span, len(resources.caches) // len(layout.regions)
    own = range(region * span, (region + 1) * span)
    return ScheduledFault(
        index=index,
        fault=fault,
        at_seconds=fault.at_seconds,
        for_seconds=fault.for_seconds,
        regions=(region,),
        stations=(*own, *(place + len(layout.processes) for place in own)),
        caches=tuple(range(region * caches, (region + 1) * caches)),
    )


def down_seconds(layout: Layout, place: int, profile: Profile, *, deaths: int = 1) -> float:
    """How long a killed or restarted process answers nobody, at its ``deaths``-th death in a row."""
    process = layout.processes[place]
    pause = restarts.pause_seconds(deaths)
    for delay in profile.delays:
        if delay.station in (f"restart.{process.name.rpartition('/')[2]}", f"restart.{process.members[0]}"):
            return pause + delay.median_seconds
    member = process.members[0]
    if member in tuple(Server):
        return pause + _STARTS_SECONDS.get(Server(member), _SERVER_STARTS_SECONDS)
    return pause + _SERVICE_STARTS_SECONDS


def _held(resources: Resources, layout: Layout, process: int) -> tuple[int, ...]:
    """Caches that are lost with a process."""
    lost = {name for member in layout.processes[process].members for name in _HELD.get(member, ())}
    count, region = len(resources.caches) // len(layout.regions), process // layout.span
    return tuple(place for place in range(region * count, (region + 1) * count) if resources.caches[place].name in lost)
