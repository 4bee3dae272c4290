"""What goes on without any request: the host's stalls, and what each process does when it is idle.

Stalls are vacations of all cores of a host, each host's at times of its own. Idle work (timers, polls, collections)
comes as short jobs of the processes that do it, so it stands in their event loops' way as it does in life.
"""

from __future__ import annotations

from typing import Final

from core import streams
from core.profile import Profile, Stalls
from core.scenario.processes import group_of
from sim.model.layout import Layout

#: CPU of one piece of idle work. The profile tells only how much there is; a timer's callback is of this order.
IDLE_JOB_SECONDS: Final = 0.0005


def idle_ratios(layout: Layout, profile: Profile) -> list[tuple[int, float]]:
    """(process, share of a core) of whatever does something without traffic, by name.

    A process that calibration did not have idles as those of its group did, or as its components did.
    """
    measured = profile.background_cpu_ratio
    found = []
    for place, process in sorted(enumerate(layout.processes), key=lambda each: each[1].name):
        name = process.name.rpartition("/")[2]  # that of every region's
        alike = [measured[name]] if name in measured else []
        alike = alike or [ratio for name, ratio in measured.items() if group_of(name) == process.group]
        share = sum(alike) / len(alike) if alike else sum(measured.get(member, 0.0) for member in process.members)
        if share > 0.0:
            found.append((place, share))
    return found


def stalls_stream(seed: int, host: int, index: int) -> streams.Stream:
    """When the stalls of one class come to one host, and how long each is."""
    return streams.named(seed, f"model.stalls.{index}" if not host else f"model.stalls.{index}.{host}")


def stall_seconds(stalls: Stalls, index: int, uniform: float) -> float:
    """Length of one stall of a class: lower + (upper − lower) u^k, with k such that the mean is the measured one."""
    lower = stalls.upto_seconds[index - 1] if index else 0.0
    upper, mean = stalls.upto_seconds[index], stalls.mean_seconds[index]
    if not lower < mean < upper:
        return mean
    return lower + (upper - lower) * float(uniform ** ((upper - lower) / (mean - lower) - 1.0))
