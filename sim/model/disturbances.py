"""Disturbances that no request causes: stalls of a host, and what each process does when it is idle.

A stall takes all cores of one host away for a time; hosts stall independently. Idle work (timers, polls, garbage
collection) is modelled as short jobs of the processes that do it, so it delays their event loops as it does in the real
system.
"""

from __future__ import annotations

from typing import Final

from core import streams
from core.profile import Profile, Stalls
from core.scenario.processes import group_of
from sim.model.layout import Layout

#: CPU of one piece of idle work. The profile has only the total; a timer's callback takes about this long.
IDLE_JOB_SECONDS: Final = 0.0005


def idle_ratios(layout: Layout, profile: Profile) -> list[tuple[int, float]]:
    """(process, share of a core) of every process that uses CPU without traffic, by name.

    A process that calibration did not have uses as much as the processes of its group, or as its components did.
    """
    measured = profile.background_cpu_ratio
    found = []
    for index, process in sorted(enumerate(layout.processes), key=lambda each: each[1].name):
        name = process.name.rpartition("/")[2]  # without the region
        alike = [measured[name]] if name in measured else []
        alike = alike or [ratio for name, ratio in measured.items() if group_of(name) == process.group]
        share = sum(alike) / len(alike) if alike else sum(measured.get(member, 0.0) for member in process.members)
        if share > 0.0:
            found.append((index, share))
    return found


def stalls_stream(seed: int, host: int, index: int) -> streams.Stream:
    """Random draws of the times and lengths of one host's stalls of one class."""
    return streams.named(seed, f"model.stalls.{index}" if not host else f"model.stalls.{index}.{host}")


def stall_seconds(stalls: Stalls, index: int, uniform: float) -> float:
    """Length of one stall of a class: lower + (upper − lower) u^k, with k such that the mean is the measured mean."""
    lower = stalls.upto_seconds[index - 1] if index else 0.0
    upper, mean = stalls.upto_seconds[index], stalls.mean_seconds[index]
    if not lower < mean < upper:
        return mean
    return lower + (upper - lower) * float(uniform ** ((upper - lower) / (mean - lower) - 1.0))
