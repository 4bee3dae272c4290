"""What goes on without any request: the host's stalls, and what each process does when it is idle.

Stalls are vacations of all cores. Idle work (timers, polls, collections) comes as short jobs of the processes that do
it, so it stands in their event loops' way as it does in life.
"""

from __future__ import annotations

from typing import Final

from core import streams
from core.profile import Profile, Stalls
from core.scenario import Scenario
from sim.kernel import Steps
from sim.plant import Plant

#: CPU of one piece of idle work. The profile tells only how much there is; a timer's callback is of this order.
IDLE_JOB_SECONDS: Final = 0.0005


def start(plant: Plant, *, scenario: Scenario, profile: Profile, until_seconds: float) -> None:
    """Let stalls and idle work happen until then."""
    kernel = plant.kernel
    for index in range(len(profile.stalls.per_second)):
        kernel.start(_stalls(plant, profile.stalls, index, scenario.seed, until_seconds))
    for name in sorted(profile.background_cpu_ratio):
        share = profile.background_cpu_ratio[name]
        stations = plant.layout.named(name)
        for place in stations:
            if share > 0.0:
                kernel.start(_idle(plant, place, share / len(stations), scenario.seed, until_seconds))


def stall_seconds(stalls: Stalls, index: int, uniform: float) -> float:
    """Length of one stall of a class: lower + (upper − lower) u^k, with k such that the mean is the measured one."""
    lower = stalls.upto_seconds[index - 1] if index else 0.0
    upper, mean = stalls.upto_seconds[index], stalls.mean_seconds[index]
    if not lower < mean < upper:
        return mean
    return lower + (upper - lower) * float(uniform ** ((upper - lower) / (mean - lower) - 1.0))


def _stalls(plant: Plant, stalls: Stalls, index: int, seed: int, until_seconds: float) -> Steps[None]:
    rate = stalls.per_second[index]
    stream = streams.named(seed, f"model.stalls.{index}")
    number = 0
    while rate > 0.0:
        yield plant.kernel.wait(stream.exponential(number) / rate)
        if plant.kernel.now >= until_seconds:
            return
        plant.host.stall(stall_seconds(stalls, index, stream.uniform(number, 1)))
        number += 1


def _idle(plant: Plant, place: int, share: float, seed: int, until_seconds: float) -> Steps[None]:
    station = plant.stations[place]
    stream = streams.named(seed, f"model.idle.{station.name}")
    number = 0
    while True:
        yield plant.kernel.wait(stream.exponential(number) * IDLE_JOB_SECONDS / share)
        if plant.kernel.now >= until_seconds:
            return
        station.submit(IDLE_JOB_SECONDS, _ignored)
        number += 1


def _ignored(_served: bool) -> None:
    """Nobody waits for idle work."""
