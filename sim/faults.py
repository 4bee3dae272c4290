"""The scenario's faults: toxics on links, and processes that are killed, paused or restarted."""

from __future__ import annotations

from typing import Any, Final

from core.names import Cache, FaultKind, Server
from core.profile import Profile
from core.run import Event
from core.scenario import Fault, Scenario
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


def start(plant: Plant, *, scenario: Scenario, profile: Profile, journal: list[Event]) -> None:
    """Let every fault of ``scenario`` act in its time; what happens is written to ``journal``.

    Raises ValueError where a fault names a process that the scenario does not have.
    """
    for index, fault in enumerate(scenario.faults):
        if fault.link is not None:
            plant.kernel.start(_toxic(plant, index, fault, journal))
        elif not plant.layout.named(fault.target):
            known = ", ".join(process.name for process in plant.layout.processes)
            raise ValueError(f"faults[{index}].process: found {fault.target}; expected one of {known}")
        else:
            plant.kernel.start(_deed(plant, index, fault, profile, journal))


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


def _told(index: int, fault: Fault) -> dict[str, Any]:
    return {"fault": index, "kind": fault.kind.value, "target": fault.target}


def _toxic(plant: Plant, index: int, fault: Fault, journal: list[Event]) -> Steps[None]:
    kernel = plant.kernel
    link = plant.link(fault.target)
    yield kernel.wait(fault.at_seconds - kernel.now)
    journal.append(Event(at_seconds=kernel.now, event="fault_begins", values=_told(index, fault)))
    if link is not None:
        link.acting.append(fault)
    yield kernel.wait(fault.end_seconds - kernel.now)
    if link is not None:
        link.acting.remove(fault)
    journal.append(Event(at_seconds=kernel.now, event="fault_ends", values=_told(index, fault)))


def _deed(plant: Plant, index: int, fault: Fault, profile: Profile, journal: list[Event]) -> Steps[None]:
    kernel = plant.kernel
    places = plant.layout.named(fault.target)[:1]  # one process: the first instance of what is named
    yield kernel.wait(fault.at_seconds - kernel.now)
    journal.append(Event(at_seconds=kernel.now, event="fault_begins", values=_told(index, fault)))
    stations = [plant.stations[place + offset] for place in places for offset in (0, len(plant.layout.processes))]
    if fault.kind is FaultKind.PAUSE:
        for station in stations:
            station.pause()
        yield kernel.wait(fault.for_seconds)
        for station in stations:
            station.resume()
    else:
        for station in stations:
            station.die()
        _forget(plant, places)
        down = max([fault.for_seconds, *(down_seconds(plant, fault, place, profile) for place in places)])
        yield kernel.wait(down)
        for station in stations:
            station.revive()
    journal.append(Event(at_seconds=kernel.now, event="fault_ends", values=_told(index, fault)))


def _forget(plant: Plant, places: tuple[int, ...]) -> None:
    lost = {
        name for place in places for member in plant.layout.processes[place].members for name in _HELD.get(member, ())
    }
    for cache in plant.caches:
        if cache.name in lost:
            cache.clear()
