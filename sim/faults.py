"""The scenario's faults: toxics on links, processes that are killed, paused or restarted, regions that are lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, assert_never

from core.names import Cache, Server
from core.policies import restarts
from core.profile import Profile
from core.run import Event
from core.scenario import Scenario
from core.scenario.fault import AnyFault, LinkFault, ProcessFault
from core.scenario.faults import Lost, Pause, Restart
from sim import failover
from sim.kernel import Steps
from sim.plant import Plant

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
class Deed:
    """One fault as what is done to the plant, for every engine: stations and caches by their place in it.

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
    def told(self) -> dict[str, Any]:
        """What the journal says of it."""
        return {"fault": self.index, "kind": self.fault.kind, "target": self.fault.target}


class FaultError(ValueError):
    """A fault that can do nothing in this scenario; the message names its field."""


def deeds(plant: Plant, *, scenario: Scenario, profile: Profile) -> list[Deed]:
    """What every fault of ``scenario`` does; raises FaultError where one names a process that there is not, or a link
    that nothing in its traffic crosses."""
    found: list[Deed] = []
    deaths: dict[int, tuple[int, float]] = {}  # by place: how many in a row, and when it was back
    for index, fault in enumerate(scenario.faults):
        match fault:
            case LinkFault():
                found.append(_on_link(plant, index, fault))
            case ProcessFault():
                found.append(_on_process(plant, index, fault, profile, deaths))
            case Lost():
                found.append(_loss(plant, index, fault))
            case _:
                assert_never(fault)
    return found


def _on_link(plant: Plant, index: int, fault: LinkFault) -> Deed:
    if plant.link(fault.link) is None:
        crossed = ", ".join(sorted(link.name for link in plant.links))
        raise FaultError(
            f"faults[{index}].link: found {fault.link}, which no operation of this traffic crosses; "
            f"it crosses {crossed}"
        )
    names = plant.layout.regions
    return Deed(
        index=index,
        fault=fault,
        at_seconds=fault.at_seconds,
        for_seconds=fault.for_seconds,
        link=fault.link,
        regions=tuple(range(len(names))) if fault.region is None else (names.index(fault.region),),
    )


def _on_process(
    plant: Plant, index: int, fault: ProcessFault, profile: Profile, deaths: dict[int, tuple[int, float]]
) -> Deed:
    places = plant.layout.named(fault.process)[:1]  # one process: the first instance of what is named
    if not places:
        known = ", ".join(process.name for process in plant.layout.processes)
        raise FaultError(f"faults[{index}].process: found {fault.process}; expected one of {known}")
    seconds, nodes = fault.for_seconds, plant.layout.of(Server.REDIS)
    if fault.ends:
        count, back_at = deaths.get(places[0], (0, 0.0))
        count = restarts.deaths_in_a_row(count, max(0.0, fault.at_seconds - back_at))
        seconds = max(seconds, down_seconds(plant, places[0], profile, deaths=count))
        deaths[places[0]] = (count, fault.at_seconds + seconds)
    threads = places[0] + len(plant.layout.processes)
    place = places[0] % plant.layout.span
    return Deed(
        index=index,
        fault=fault,
        at_seconds=fault.at_seconds,
        for_seconds=seconds,
        regions=(places[0] // plant.layout.span,),
        stations=(places[0], threads),
        caches=_held(plant, places[0]) if fault.ends else (),
        node=nodes.index(place) if place in nodes else 0,
        nodes=len(nodes) if place in nodes else 1,
    )


def _loss(plant: Plant, index: int, fault: Lost) -> Deed:
    """Everything of a region at once, its caches too."""
    region = plant.layout.regions.index(fault.region)
    span, caches = plant.layout.span, len(plant.caches) // len(plant.layout.regions)
    own = range(region * span, (region + 1) * span)
    return Deed(
        index=index,
        fault=fault,
        at_seconds=fault.at_seconds,
        for_seconds=fault.for_seconds,
        regions=(region,),
        stations=(*own, *(place + len(plant.layout.processes) for place in own)),
        caches=tuple(range(region * caches, (region + 1) * caches)),
    )


def start(plant: Plant, *, scenario: Scenario, profile: Profile, journal: list[Event]) -> None:
    """Let every fault of ``scenario`` act in its time; what happens is written to ``journal``. Raises as `deeds`."""
    for deed in deeds(plant, scenario=scenario, profile=profile):
        plant.kernel.start(_do(plant, deed, journal))


def down_seconds(plant: Plant, place: int, profile: Profile, *, deaths: int = 1) -> float:
    """How long a killed or restarted process answers nobody, at its ``deaths``-th death in a row."""
    process = plant.layout.processes[place]
    pause = restarts.pause_seconds(deaths)
    for delay in profile.delays:
        if delay.station in (f"restart.{process.name.rpartition('/')[2]}", f"restart.{process.members[0]}"):
            return pause + delay.median_seconds
    member = process.members[0]
    if member in tuple(Server):
        return pause + _STARTS_SECONDS.get(Server(member), _SERVER_STARTS_SECONDS)
    return pause + _SERVICE_STARTS_SECONDS


def _do(plant: Plant, deed: Deed, journal: list[Event]) -> Steps[None]:
    kernel, stations = plant.kernel, [plant.stations[place] for place in deed.stations]
    found = (plant.link(deed.link, region) for region in deed.regions if deed.link is not None)
    links = [link for link in found if link is not None]
    processes = [place for place in deed.stations if place < len(plant.layout.processes)]
    yield kernel.wait(deed.at_seconds - kernel.now)
    journal.append(Event(at_seconds=kernel.now, event="fault_begins", values=deed.told))
    if isinstance(deed.fault, LinkFault):
        for link in links:
            link.begin(deed.fault)
    for station in stations:
        if isinstance(deed.fault, Pause):
            station.pause()
        else:
            station.die()
    for process in processes if not isinstance(deed.fault, Pause) else ():
        for log in plant.logs:
            log.died(process, goodbye=isinstance(deed.fault, Restart))
        failover.died(plant, process, journal)
    if isinstance(deed.fault, Lost):
        failover.lost(plant, deed.regions[0], journal)
    for cache in deed.caches:
        if deed.nodes == 1:
            plant.caches[cache].clear()
        else:
            plant.caches[cache].clear_node(deed.node, deed.nodes)
    yield kernel.wait(deed.for_seconds)
    if isinstance(deed.fault, LinkFault):
        for link in links:
            link.end(deed.fault)
    for station in stations:
        if isinstance(deed.fault, Pause):
            station.resume()
        else:
            station.revive()
    for process in processes:
        for log in plant.logs:
            log.back(process)
    if isinstance(deed.fault, Lost):
        failover.back(plant, deed.regions[0], journal)
    journal.append(Event(at_seconds=kernel.now, event="fault_ends", values=deed.told))


def _held(plant: Plant, process: int) -> tuple[int, ...]:
    """Caches that are lost with a process."""
    lost = {name for member in plant.layout.processes[process].members for name in _HELD.get(member, ())}
    count, region = len(plant.caches) // len(plant.layout.regions), process // plant.layout.span
    return tuple(place for place in range(region * count, (region + 1) * count) if plant.caches[place].name in lost)
