"""Stalls and idle work during a run, as `sim.model.disturbances` defines them."""

from __future__ import annotations

from core import streams
from core.profile import Profile, Stalls
from core.scenario import Scenario
from sim.model.disturbances import IDLE_JOB_SECONDS, idle_ratios, stall_seconds, stalls_stream
from sim.reference.kernel import Steps
from sim.reference.state import RunState


def start(state: RunState, *, scenario: Scenario, profile: Profile, until_seconds: float) -> None:
    """Schedule stalls and idle work until ``until_seconds``."""
    kernel = state.kernel
    for host in range(len(state.hosts)):
        for index in range(len(profile.stalls.per_second)):
            kernel.start(_stalls(state, host, profile.stalls, index, scenario.seed, until_seconds))
    for process, share in idle_ratios(state.layout, profile):
        kernel.start(_idle(state, process, share, scenario.seed, until_seconds))


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


def _idle(state: RunState, process: int, share: float, seed: int, until_seconds: float) -> Steps[None]:
    station = state.stations[process]
    stream = streams.named(seed, f"model.idle.{station.name}")
    number = 0
    while True:
        yield state.kernel.wait(stream.exponential(number) * IDLE_JOB_SECONDS / share)
        if state.kernel.now >= until_seconds:
            return
        station.submit(IDLE_JOB_SECONDS, _ignored)
        number += 1


def _ignored(_served: bool) -> None:
    """Do nothing when idle work is done: nothing waits for it."""
