"""Stalls and idle work while a run lasts, as `sim.model.disturbances` has them."""

from __future__ import annotations

from core import streams
from core.profile import Profile, Stalls
from core.scenario import Scenario
from sim.model.disturbances import IDLE_JOB_SECONDS, idle_ratios, stall_seconds, stalls_stream
from sim.reference.kernel import Steps
from sim.reference.state import RunState


def start(state: RunState, *, scenario: Scenario, profile: Profile, until_seconds: float) -> None:
    """Let stalls and idle work happen until then."""
    kernel = state.kernel
    for host in range(len(state.hosts)):
        for index in range(len(profile.stalls.per_second)):
            kernel.start(_stalls(state, host, profile.stalls, index, scenario.seed, until_seconds))
    for place, share in idle_ratios(state.layout, profile):
        kernel.start(_idle(state, place, share, scenario.seed, until_seconds))


def _stalls(state: RunState, host: int, stalls: Stalls, index: int, seed: int, until_seconds: float) -> Steps[None]:
    rate = stalls.per_second[index]
    stream = stalls_stream(seed, host, index)
    number = 0
    while rate > 0.0:
        yield state.kernel.wait(stream.exponential(number) / rate)
        if state.kernel.now >= until_seconds:
            return
        state.hosts[host].stall(stall_seconds(stalls, index, stream.uniform(number, 1)))
        number += 1


def _idle(state: RunState, place: int, share: float, seed: int, until_seconds: float) -> Steps[None]:
    station = state.stations[place]
    stream = streams.named(seed, f"model.idle.{station.name}")
    number = 0
    while True:
        yield state.kernel.wait(stream.exponential(number) * IDLE_JOB_SECONDS / share)
        if state.kernel.now >= until_seconds:
            return
        station.submit(IDLE_JOB_SECONDS, _ignored)
        number += 1


def _ignored(_served: bool) -> None:
    """Nobody waits for idle work."""
