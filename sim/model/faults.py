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

#: From start to first answer, where the profile has no measured ``restart.<process>`` delay: PostgreSQL's and Redis's
#: by their logs, our processes' by their imports. Kafka's is the time from a kill until the log takes events again,
#: measured on the real stack on a quiet machine with two cores.
_STARTS_SECONDS: Final = {Server.KAFKA: 2.1, Server.POSTGRES: 1.0, Server.REDIS: 0.3}
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
    """One fault, and what it acts on, by index in `sim.model.resources.Resources`."""

    index: int  # of the fault in the scenario
    fault: AnyFault
    for_seconds: float  # from its beginning
    link: str | None = None
    regions: tuple[int, ...] = (0,)  # those of the link, or the one that is lost
    stations: tuple[int, ...] = ()
    caches: tuple[int, ...] = ()  # that lose their content …
    node: int = 0  # … or only the part that this node held …
    nodes: int = 1  # … of so many

    @property
    def at_seconds(self) -> float:
        """When it begins."""
        return self.fault.at_seconds

    @property
    def values(self) -> dict[str, Any]:
        """Fields of its events in the journal."""
        return {"fault": self.index, "kind": self.fault.kind, "target": self.fault.target}


class FaultError(ValueError):
    """A fault that has no effect in this scenario; the message names its field."""


def schedule(
    resources: Resources, *, scenario: Scenario, profile: Profile, layout: Layout
) -> tuple[ScheduledFault, ...]:
    """All faults of ``scenario``; raises FaultError where one names a process that does not exist, or a link that no
    operation of the traffic crosses."""
    found: list[ScheduledFault] = []
    deaths: dict[int, tuple[int, float]] = {}  # by process: deaths in a row, and when it was back
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
    found = layout.named(fault.process)
    if not found:
        known = ", ".join(process.name for process in layout.processes)
        raise FaultError(f"faults[{index}].process: found {fault.process}; expected one of {known}")
    process = found[0]  # the first instance of what is named
    seconds, nodes = fault.for_seconds, layout.processes_of(Server.REDIS)
    if fault.ends:
        count, back_at = deaths.get(process, (0, 0.0))
        count = restarts.deaths_in_a_row(count, max(0.0, fault.at_seconds - back_at))
        seconds = max(seconds, down_seconds(layout, process, profile, deaths=count))
        deaths[process] = (count, fault.at_seconds + seconds)
    region, here = divmod(process, layout.span)
    return ScheduledFault(
        index=index,
        fault=fault,
        for_seconds=seconds,
        regions=(region,),
        stations=(process, process + len(layout.processes)),
        caches=_held(resources, layout, process) if fault.ends else (),
        node=nodes.index(here) if here in nodes else 0,
        nodes=len(nodes) if here in nodes else 1,
    )


def _loss(resources: Resources, layout: Layout, index: int, fault: Lost) -> ScheduledFault:
    """All processes and caches of a region."""
    region = layout.regions.index(fault.region)
    span, caches = layout.span, len(resources.caches) // len(layout.regions)
    own = range(region * span, (region + 1) * span)
    return ScheduledFault(
        index=index,
        fault=fault,
        for_seconds=fault.for_seconds,
        regions=(region,),
        stations=(*own, *(process + len(layout.processes) for process in own)),
        caches=tuple(range(region * caches, (region + 1) * caches)),
    )


def down_seconds(layout: Layout, index: int, profile: Profile, *, deaths: int = 1) -> float:
    """How long a killed or restarted process does not answer, after its ``deaths``-th death in a row."""
    process = layout.processes[index]
    pause = restarts.pause_seconds(deaths)
    for delay in profile.delays:
        if delay.station in (f"restart.{process.name.rpartition('/')[2]}", f"restart.{process.members[0]}"):
            return pause + delay.median_seconds
    member = process.members[0]
    if member in tuple(Server):
        return pause + _STARTS_SECONDS.get(Server(member), _SERVER_STARTS_SECONDS)
    return pause + _SERVICE_STARTS_SECONDS


def _held(resources: Resources, layout: Layout, process: int) -> tuple[int, ...]:
    """Caches whose content is lost with a process."""
    lost = {name for member in layout.processes[process].members for name in _HELD.get(member, ())}
    count, region = len(resources.caches) // len(layout.regions), process // layout.span
    own = range(region * count, (region + 1) * count)
    return tuple(index for index in own if resources.caches[index].name in lost)
