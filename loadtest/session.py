"""Prepares one process's traffic from its arguments, for both `loadtest.drive` and Locust's own command line."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from core import population
from core.scenario import Scenario
from loadtest import address, plan, seeded
from loadtest.acts import Acts, Request
from loadtest.address import HttpAddress
from loadtest.dispatch import Dispatch, Listener
from records.scenarios import read

#: Between the start of a process that chooses its own t0 and its first request.
LEAD_SECONDS: Final = 1.0
_URGENT_NICENESS: Final = -10
#: Microseconds in a second that real-time tasks may use of a core; -1 when there is no limit.
_REAL_TIME_BOUND: Final = Path("/proc/sys/kernel/sched_rt_runtime_us")


class SessionError(ValueError):
    """Arguments that are inconsistent; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSession:
    """The requests to send, their targets, and the folder of the record."""

    scenario: Scenario
    seeded: seeded.Seeded
    gateway: HttpAddress
    media: HttpAddress
    out: Path
    spin: bool
    inflight_max: int | None = None  # None: as many as the traffic can need
    seed: int | None = None  # of the schedule; None: the scenario's
    people: tuple[int, ...] = ()  # whose requests they are; everybody's by default
    ahead: Mapping[int, Request] = field(default_factory=dict)  # acts whose first steps `loadtest.ahead` has sent

    def t0_unix_ns(self, wanted_unix_seconds: float | None, *, lead_seconds: float = LEAD_SECONDS) -> int:
        """The wall clock of t0: the given one, or the earliest that leaves time for ``lead_seconds`` and the warm-up;
        raises SessionError."""
        warm_up = self.scenario.traffic.warm_up_seconds
        now = time.time_ns()
        self._check_tokens(now / 1e9)
        if wanted_unix_seconds is None:
            return now + round((warm_up + lead_seconds) * 1e9)
        t0 = round(wanted_unix_seconds * 1e9)
        if t0 - now < warm_up * 1e9:
            raise SessionError(
                f"t0 is in {(t0 - now) / 1e9:.1f} s, and the warm-up before it takes {warm_up:g} s: start sooner"
            )
        return t0

    def _check_tokens(self, now_unix: float) -> None:
        traffic = self.scenario.traffic
        left = self.seeded.summary.tokens_expire_unix - now_unix
        if left < traffic.warm_up_seconds + traffic.duration_seconds + LEAD_SECONDS:
            raise SessionError(f"the people's tokens expire in {left:.0f} s, before the traffic ends: seed again")

    def share(self, *, worker: int = 0, worker_count: int = 1) -> plan.LoadPlan:
        """The share of one process; raises `loadtest.plan.LoadPlanError`."""
        return plan.make_plan(
            self.scenario, worker=worker, worker_count=worker_count, seed=self.seed, people=self.people
        )

    def acts(self, share: plan.LoadPlan, *, nonce: str) -> Acts:
        """The acts of the requests of ``share``."""
        return Acts(
            scenario=self.scenario,
            schedule=share.schedule,
            people=population.draw_population(self.scenario),
            seeded=self.seeded,
            nonce=nonce,
            ahead=self.ahead,
        )

    def dispatch(
        self,
        *,
        worker: int,
        worker_count: int,
        t0_unix_ns: int,
        listener: Listener | None = None,
        tell_viral: Callable[[str], None] | None = None,
        folder: Path | None = None,
    ) -> Dispatch:
        """The traffic of one process, which keeps a spool in ``folder``; raises `loadtest.plan.LoadPlanError`."""
        share = self.share(worker=worker, worker_count=worker_count)
        if self.inflight_max is not None:
            share = dataclasses.replace(share, inflight_max=self.inflight_max)
        return Dispatch(
            share,
            self.acts(share, nonce=f"{t0_unix_ns // 1_000_000:x}"),
            gateway=self.gateway,
            media=self.media,
            spin=self.spin,
            listener=listener,
            tell_viral=tell_viral,
            folder=folder,
        )


def open_session(
    *,
    scenario_file: Path,
    gateway: str,
    media: str,
    seeded_folder: Path,
    out: Path,
    spin: bool | None = None,
    inflight_max: int | None = None,
) -> LoadSession:
    """Read and check all arguments; raises ValueError (for the scenario, an address, the seeded data) or OSError."""
    if inflight_max is not None and not 1 <= inflight_max <= plan.INFLIGHT_MAX:
        raise SessionError(f"{inflight_max} requests in flight: expected 1 to {plan.INFLIGHT_MAX:,}")
    scenario = read(scenario_file)
    people = seeded.read(seeded_folder)
    summary = people.summary
    if (summary.seed, summary.people) != (scenario.seed, scenario.population.people):
        raise SessionError(
            f"{seeded_folder} was seeded with seed {summary.seed} and {summary.people:,} people, "
            f"{scenario_file} has seed {scenario.seed} and {scenario.population.people:,}"
        )
    return LoadSession(
        scenario=scenario,
        seeded=people,
        gateway=address.parse(gateway),
        media=address.parse(media),
        out=out,
        spin=plan.spins(scenario) if spin is None else spin,
        inflight_max=inflight_max,
    )


def settle(cores: tuple[int, ...] = (), *, urgent: bool = False) -> None:
    """Prepare this process for exact timing: pin it, raise its limit of open files, and make garbage collection rare.

    ``urgent`` gives it priority on its core, if the system allows that: for a core that it shares only with the runner.
    """
    if cores:
        os.sched_setaffinity(0, cores)
    if urgent:
        _go_first()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _go_first() -> None:
    """Real-time priority if the kernel limits it to a share of the core, else the best niceness that is allowed.

    Niceness alone does not help a process that wakes up: the kernel lets the running one finish its slice of 3 ms. With
    a process on its core that works 30 ms out of 150, the generator's lag had a p99 of 4.2 ms with niceness and 0.5 ms
    with real-time priority.
    """
    with contextlib.suppress(OSError, ValueError):
        if int(_REAL_TIME_BOUND.read_text(encoding="ascii")) >= 0:
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
            return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _URGENT_NICENESS)
