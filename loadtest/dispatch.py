"""Sends one process's share of the schedule: each request starts on time, however slow the answers are.

One greenlet waits for the next arrival and spawns a greenlet for it, so a request never waits for another. Latency
counts from the intended start, so it includes the delays of a slow server or generator, as a user would see them. The
clock is `time.perf_counter`: event loops' own clocks have a resolution of a millisecond.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gevent
from gevent.pool import Pool

from core import run
from core.names import Outcome
from core.policies import retry
from loadtest import record
from loadtest.acts import Act, Acts, Answer, Request, Target
from loadtest.address import HttpAddress
from loadtest.plan import LoadPlan
from loadtest.spool import EVERY_SECONDS, Spool, SpoolHead
from loadtest.wire import Connections

#: Time before an arrival at which to wake up, because timers are coarse, and to spin until the arrival.
SPIN_SECONDS: Final = 0.0025
#: The shortest timer: unlike a plain yield, it lets the event loop poll for answers too.
_MOMENT_SECONDS: Final = 1e-9
#: The longest sleep, so that a stop is noticed.
_NAP_SECONDS: Final = 0.2
#: Number of the request that writes the viral post, which is not part of the schedule.
VIRAL_REQUEST: Final = -1
_VIRAL_BACKOFF: Final = retry.RetryPolicy(attempts=5, backoff_seconds=0.1, backoff_cap_seconds=1.0, budget_ratio=1.0)

#: Called for each request that ended: operation, method, latency in seconds, bytes of the answer, outcome.
Listener = Callable[[str, str, float, int, Outcome], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Seconds from t0, and t0 on the wall clock."""

    t0_unix_ns: int
    zero: float  # of time.perf_counter at t0

    @classmethod
    def starting(cls, t0_unix_ns: int) -> Clock:
        """The clock of a run whose t0 is at ``t0_unix_ns`` on the wall clock."""
        return cls(t0_unix_ns=t0_unix_ns, zero=time.perf_counter() + (t0_unix_ns - time.time_ns()) / 1e9)

    def now(self) -> float:
        """Seconds from t0; negative during the warm-up."""
        return time.perf_counter() - self.zero


class Dispatch:
    """Sends one process's share. Create it, call `run` in a greenlet, then `write`."""

    def __init__(
        self,
        plan: LoadPlan,
        acts: Acts,
        *,
        gateway: HttpAddress,
        media: HttpAddress,
        spin: bool,
        listener: Listener | None = None,
        tell_viral: Callable[[str], None] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._plan = plan
        self._acts = acts
        self._spin = spin
        self._listener = listener
        self._tell_viral = tell_viral
        self._timeout_seconds = plan.scenario.traffic.timeout_seconds
        self._connections: dict[HttpAddress, Connections] = {}
        self._of_target = {Target.GATEWAY: gateway, Target.MEDIA: media}
        self._in_flight = Pool(plan.inflight_max)
        self._stopped = ""
        self._folder = folder
        self._spool: Spool | None = None
        self.recorder = record.Recorder()
        self.clock: Clock | None = None

    @property
    def done_count(self) -> int:
        """Requests of the schedule that have been sent or refused."""
        return self.recorder.sent_count + self.recorder.refused_count

    @property
    def total_count(self) -> int:
        """Requests of the schedule that this process sends."""
        return len(self._plan)

    def run(self, clock: Clock) -> None:
        """Send everything; return when every request has been answered or has timed out."""
        self.clock = clock
        self._start_spool(clock)
        viral = gevent.spawn(self._write_viral_post, clock) if self._plan.posts_viral else None
        at_seconds = self._plan.schedule.at_seconds
        for number in self._plan.numbers.tolist():
            at = float(at_seconds[number])
            self._wait_until(clock, at)
            if self._stopped:
                break
            if self._in_flight.full():
                self.recorder.refused_count += 1
                continue
            self._in_flight.spawn(self._walk, clock, number, at).link_exception(self._broken)
        self._in_flight.join()
        if viral is not None:
            viral.join()

    def stop(self, reason: str, *, grace_seconds: float = 1.0) -> None:
        """Send no more requests; wait ``grace_seconds`` for those in flight and drop the rest."""
        self._stopped = self._stopped or reason
        self._in_flight.join(timeout=grace_seconds)
        self._in_flight.kill(timeout=0.2)

    def write(self, folder: Path) -> record.Load:
        """Write the record; call it when `run` has returned, or instead of `run` when nothing was sent."""
        clock = self.clock or Clock.starting(time.time_ns())
        samples = run.samples_from_rows(sorted(self.recorder.rows, key=lambda row: (row[5], row[0], row[1])))
        load = record.load_of(
            samples,
            t0_unix_ns=clock.t0_unix_ns,
            scheduled_count=len(self._plan),
            sent_count=self.recorder.sent_count,
            refused_count=self.recorder.refused_count,
            viral_expected=self._plan.posts_viral,
            viral_post_id=self._acts.viral_post.post_id if self._acts.viral_post else "",
            connections_opened=sum(each.opened_count for each in self._connections.values()),
            spun=self._spin,
            real_time=os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO,
            stopped=self._stopped,
        )
        record.write(folder, samples=samples, load=load, claims=self.recorder.claims)
        if self._spool is not None:
            self._spool.close(remove=True)
        for each in self._connections.values():
            each.close()
        return load

    def viral_written(self, post_id: str) -> None:
        """From now on requests about the viral post use this id; another process may have written it."""
        self._acts.viral_written(post_id)

    def _start_spool(self, clock: Clock) -> None:
        """Keep a spool on disk from now on, if a folder was given."""
        if self._folder is None:
            return
        head = SpoolHead(
            pid=os.getpid(),
            t0_unix_ns=clock.t0_unix_ns,
            scheduled_count=len(self._plan),
            viral_expected=self._plan.posts_viral,
        )
        self._spool = Spool(self._folder, head)
        gevent.spawn(self._keep, self._spool)

    def _keep(self, spool: Spool) -> None:
        while not spool.is_closed:
            gevent.sleep(EVERY_SECONDS)
            spool.keep(self.recorder, viral_post_id=self._acts.viral_post.post_id if self._acts.viral_post else "")

    def _wait_until(self, clock: Clock, at_seconds: float) -> None:
        while not self._stopped:
            left = at_seconds - clock.now()
            if left <= 0.0:
                return
            if not self._spin:
                gevent.sleep(min(left, _NAP_SECONDS))
            elif left > SPIN_SECONDS:
                gevent.sleep(min(left - SPIN_SECONDS, _NAP_SECONDS))
            else:
                gevent.sleep(_MOMENT_SECONDS)

    def _walk(self, clock: Clock, number: int, at_seconds: float) -> None:
        self.recorder.sent_count += 1
        self._carry_out(clock, self._acts.of(number), number, at_seconds)

    def _carry_out(self, clock: Clock, act: Act, number: int, at_seconds: float) -> Answer | None:
        """Send an act's requests one after another; the intended start of each is the end of the one before."""
        answer: Answer | None = None
        request = next(act, None)
        step = 0
        while request is not None:
            sent = clock.now()
            answer = self._exchange(request)
            ended = clock.now()
            latency = ended - at_seconds
            self.recorder.sample(
                (number, step, request.operation, answer.outcome.value, answer.status, at_seconds, sent, latency)
            )
            if request.claim is not None and record.succeeded(answer.outcome):
                self._acknowledge(request, request.claim, answer, ended)
            if self._listener is not None:
                self._listener(request.operation, request.method, latency, len(answer.body), answer.outcome)
            at_seconds, step = ended, step + 1
            try:
                request = act.send(answer)
            except StopIteration:
                request = None
        return answer

    def _acknowledge(self, request: Request, claim: dict[str, str | int], answer: Answer, ended_seconds: float) -> None:
        if request.created:
            made = answer.at(*request.created)
            if isinstance(made, str):
                claim = {**claim, f"{request.created[0]}_id": made}
        self.recorder.acknowledge(request.operation, ended_seconds, claim)

    def _exchange(self, request: Request) -> Answer:
        where = request.at or self._of_target[request.target]
        connections = self._connections.get(where)
        if connections is None:
            # one more than requests in flight, for the viral post
            connections = self._connections[where] = Connections(
                where, limit=self._plan.inflight_max + 1, worker=self._plan.worker
            )
        return connections.exchange(request, timeout_seconds=self._timeout_seconds)

    def _write_viral_post(self, clock: Clock) -> None:
        at = self._plan.schedule.viral_at_seconds or 0.0
        for attempt in range(1, _VIRAL_BACKOFF.attempts + 1):
            self._wait_until(clock, at)
            if self._stopped:
                return
            # the same idempotency key each time, so that a lost answer does not make a second post
            answer = self._carry_out(clock, self._acts.viral(), VIRAL_REQUEST, at)
            post_id = answer.at("post", "id") if answer is not None and record.succeeded(answer.outcome) else None
            if isinstance(post_id, str):
                self.viral_written(post_id)
                if self._tell_viral is not None:
                    self._tell_viral(post_id)
                return
            at = clock.now() + retry.backoff_seconds(_VIRAL_BACKOFF, attempt=attempt, uniform=1.0)

    def _broken(self, greenlet: gevent.Greenlet) -> None:
        """End the run and record why: a request could not be made at all, which is a bug or a refused address."""
        self._stopped = self._stopped or f"{type(greenlet.exception).__name__}: {greenlet.exception}"
