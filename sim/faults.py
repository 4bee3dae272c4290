"""The scenario's faults: toxics on links, and processes that are killed, paused or restarted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from core.names import Cache, FaultKind, Server
from core.profile import Profile
from core.run import Event
from core.scenario import Fault, Scenario
from sim import failover
from sim.kernel import Steps
from sim.plant import Plant

#: The supervisor looks once a second for what died.
_NOTICED_SECONDS: Final = 0.5
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
    fault: Fault
    at_seconds: float
    for_seconds: float
    link: str | None = None
    stations: tuple[int, ...] = ()
    caches: tuple[int, ...] = ()  # that are lost …
    node: int = 0  # … as far as this node of …
    nodes: int = 1  # … so many held them

    @property
    def told(self) -> dict[str, Any]:
        """What the journal says of it."""
        return {"fault": self.index, "kind": self.fault.kind.value, "target": self.fault.target}


class FaultError(ValueError):
    """A fault that can do nothing in this scenario; the message names its field."""


def deeds(plant: Plant, *, scenario: Scenario, profile: Profile) -> list[Deed]:
    """What every fault of ``scenario`` does; raises FaultError where one names a process that there is not, or a link
    that nothing in its traffic crosses."""
    found, nodes = [], plant.layout.of(Server.REDIS)
    for index, fault in enumerate(scenario.faults):
        if fault.link is not None:
            if plant.link(fault.link) is None:
                crossed = ", ".join(sorted(link.name for link in plant.links))
                raise FaultError(
                    f"faults[{index}].link: found {fault.link}, which no operation of this traffic crosses; "
                    f"it crosses {crossed}"
                )
            found.append(
                Deed(
                    index=index,
                    fault=fault,
                    at_seconds=fault.at_seconds,
                    for_seconds=fault.for_seconds,
                    link=fault.link,
                )
            )
            continue
        places = plant.layout.named(fault.target)[:1]  # one process: the first instance of what is named
        if not places:
            known = ", ".join(process.name for process in plant.layout.processes)
            raise FaultError(f"faults[{index}].process: found {fault.target}; expected one of {known}")
        seconds, caches = fault.for_seconds, _held(plant, places[0])
        if fault.kind is FaultKind.PAUSE:
            caches = ()
        else:
            seconds = max(seconds, down_seconds(plant, fault, places[0], profile))
        threads = places[0] + len(plant.layout.processes)
        found.append(
            Deed(
                index=index,
                fault=fault,
                at_seconds=fault.at_seconds,
                for_seconds=seconds,
                stations=(places[0], threads),
                caches=caches,
                node=nodes.index(places[0]) if places[0] in nodes else 0,
                nodes=len(nodes) if places[0] in nodes else 1,
            )
        )
    return found


def start(plant: Plant, *, scenario: Scenario, profile: Profile, journal: list[Event]) -> None:
    """Let every fault of ``scenario`` act in its time; what happens is written to ``journal``. Raises as `deeds`."""
    for deed in deeds(plant, scenario=scenario, profile=profile):
        plant.kernel.start(_do(plant, deed, journal))


def down_seconds(plant: Plant, fault: Fault, place: int, profile: Profile) -> float:
    """How long a killed or restarted process answers nobody."""
    process = plant.layout.processes[place]
    noticed = _NOTICED_SECONDS if fault.kind is FaultKind.KILL else 0.0
    for delay in profile.delays:
        if delay.station in (f"restart.{process.name}", f"restart.{process.members[0]}"):
            return noticed + delay.median_seconds
    member = process.members[0]
    if member in tuple(Server):
        return noticed + _STARTS_SECONDS.get(Server(member), _SERVER_STARTS_SECONDS)
    return noticed + _SERVICE_STARTS_SECONDS


def _do(plant: Plant, deed: Deed, journal: list[Event]) -> Steps[None]:
    kernel, stations = plant.kernel, [plant.stations[place] for place in deed.stations]
    link = plant.link(deed.link) if deed.link is not None else None
    yield kernel.wait(deed.at_seconds - kernel.now)
    journal.append(Event(at_seconds=kernel.now, event="fault_begins", values=deed.told))
    if link is not None:
        link.acting.append(deed.fault)
    for station in stations:
        if deed.fault.kind is FaultKind.PAUSE:
            station.pause()
        else:
            station.die()
    for log in plant.logs if deed.fault.kind is not FaultKind.PAUSE else ():
        for process in deed.stations[:1]:
            log.died(process, goodbye=deed.fault.kind is FaultKind.RESTART)
    for process in deed.stations[:1] if deed.fault.kind is not FaultKind.PAUSE else ():
        failover.died(plant, process, journal)
    for cache in deed.caches:
        if deed.nodes == 1:
            plant.caches[cache].clear()
        else:
            plant.caches[cache].clear_node(deed.node, deed.nodes)
    yield kernel.wait(deed.for_seconds)
    if link is not None:
        link.acting.remove(deed.fault)
    for station in stations:
        if deed.fault.kind is FaultKind.PAUSE:
            station.resume()
        else:
            station.revive()
    for log in plant.logs:
        for process in deed.stations[:1]:
            log.back(process)
    journal.append(Event(at_seconds=kernel.now, event="fault_ends", values=deed.told))


def _held(plant: Plant, process: int) -> tuple[int, ...]:
    """Caches that are lost with a process."""
    lost = {name for member in plant.layout.processes[process].members for name in _HELD.get(member, ())}
    return tuple(place for place, cache in enumerate(plant.caches) if cache.name in lost)
