"""Shares one schedule among the processes of one Locust run: alone, or a master and its workers.

The master sends each worker its number, the number of workers and t0, in Locust's own messages; each sends its share
and writes its own folder; the master merges the records when all are done. All run on this machine.

A worker that is lost (killed, or silent for some seconds) ends the run: the others stop, and the merged record is void.
No process takes over its share, because that would send requests twice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.event import AsyncResult, Event
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from loadtest import record, spool
from loadtest.dispatch import Clock, Dispatch
from loadtest.plan import LoadPlanError
from loadtest.session import LoadSession, SessionError
from loadtest.users import RUN_ATTRIBUTE, reports_to

SHARE_MESSAGE: Final = "windtunnel_share"
DONE_MESSAGE: Final = "windtunnel_done"
VIRAL_MESSAGE: Final = "windtunnel_viral"
STOP_MESSAGE: Final = "windtunnel_stop"
_SHARE_WAIT_SECONDS: Final = 30.0
_GATHER_WAIT_SECONDS: Final = 15.0
_LOST: Final = "another of its processes was lost"


class Sharing:
    """One process's part in a run; an attribute of Locust's environment, where the dispatcher user finds it."""

    def __init__(self, environment: Any, session: LoadSession, *, wanted_t0_unix: float | None = None) -> None:
        self._environment = environment
        self._session = session
        self._wanted_t0_unix = wanted_t0_unix
        self._share: AsyncResult = AsyncResult()
        self._walked: object = None
        self._workers: dict[str, int] = {}
        self._done: set[str] = set()
        self.dispatch: Dispatch | None = None
        self.finished = Event()
        self.failure = ""
        self.load: record.Load | None = None
        setattr(environment, RUN_ATTRIBUTE, self)
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.test_stop.add_listener(self.gather)
        runner = environment.runner
        if isinstance(runner, WorkerRunner):
            runner.register_message(SHARE_MESSAGE, self._on_share)
            runner.register_message(VIRAL_MESSAGE, self._on_viral)
            runner.register_message(STOP_MESSAGE, self._on_stop)
        elif isinstance(runner, MasterRunner):
            runner.register_message(DONE_MESSAGE, self._on_done)
            runner.register_message(VIRAL_MESSAGE, self._pass_on_viral)

    @property
    def process_count(self) -> int:
        """Number of processes that share the traffic; on a master those at the start, including lost ones."""
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return 1
        return len(self._workers) or int(runner.worker_count)

    @property
    def workers_done(self) -> bool:
        """Whether every process has sent its share, or one was lost."""
        if isinstance(self._environment.runner, MasterRunner):
            return bool(self._workers) and (self._workers.keys() <= self._done or bool(self.lost()))
        return bool(self.finished.is_set())

    def lost(self) -> tuple[str, ...]:
        """Workers of a master that are silent and have not sent their share."""
        clients = self._environment.runner.clients
        return tuple(
            worker
            for worker in self._workers
            if worker not in self._done and (worker not in clients or clients[worker].state == STATE_MISSING)
        )

    def walk(self) -> None:
        """Send this process's share, once; called by its dispatcher user, which Locust may start more than once."""
        try:
            share = self._share.get(timeout=_SHARE_WAIT_SECONDS)
        except gevent.Timeout:
            return  # this process was not ready when the traffic was divided, so it has no share
        if share is self._walked:
            return
        self._walked = share
        worker, worker_count, t0_unix_ns = share
        self.load = None
        try:
            self.dispatch = self._session.dispatch(
                worker=worker,
                worker_count=worker_count,
                t0_unix_ns=t0_unix_ns,
                listener=reports_to(self._environment),
                tell_viral=self._tell_viral if worker_count > 1 else None,
                folder=self._folder(worker, worker_count),
            )
            try:
                self.dispatch.run(Clock.starting(t0_unix_ns))
            except gevent.GreenletExit:
                self.dispatch.stop("Locust stopped it", grace_seconds=0.5)
                raise
            finally:
                self.load = self.dispatch.write(self._folder(worker, worker_count))
        except LoadPlanError as error:
            self.failure = str(error)
        finally:
            if self.load is None and not self.failure:
                self.failure = "the generator failed; its log has the details"
            self.finished.set()
            if isinstance(self._environment.runner, WorkerRunner):
                self._environment.runner.send_message(DONE_MESSAGE, {"failure": self.failure})

    def stop(self, reason: str) -> None:
        """End this process's traffic within about a second; the record is still written."""
        if self.dispatch is not None:
            self.dispatch.stop(reason, grace_seconds=0.5)

    def _on_test_start(self, **_: Any) -> None:
        runner = self._environment.runner
        self.finished.clear()
        if isinstance(runner, WorkerRunner):
            return  # the master sends the share
        try:
            t0_unix_ns = self._session.t0_unix_ns(self._wanted_t0_unix)
        except SessionError as error:
            self.failure = str(error)
            self.finished.set()
            return
        if not isinstance(runner, MasterRunner):
            self._share = AsyncResult()
            self._share.set((0, 1, t0_unix_ns))
            return
        self._done.clear()
        clients = sorted(client.id for client in runner.clients.ready)
        self._workers = {client: worker for worker, client in enumerate(clients)}
        for worker in range(len(clients)):
            shutil.rmtree(self._folder(worker, len(clients)), ignore_errors=True)
        for worker, client in enumerate(clients):
            share = {"worker": worker, "worker_count": len(clients), "t0_unix_ns": t0_unix_ns}
            runner.send_message(SHARE_MESSAGE, share, client_id=client)

    def _on_share(self, msg: Any, **_: Any) -> None:
        self._share = AsyncResult()
        self._share.set((msg.data["worker"], msg.data["worker_count"], msg.data["t0_unix_ns"]))

    def _tell_viral(self, post_id: str) -> None:
        self._environment.runner.send_message(VIRAL_MESSAGE, {"post_id": post_id})

    def _pass_on_viral(self, msg: Any, **_: Any) -> None:
        for client in self._workers.keys() - {msg.node_id}:
            self._environment.runner.send_message(VIRAL_MESSAGE, msg.data, client_id=client)

    def _on_viral(self, msg: Any, **_: Any) -> None:
        if self.dispatch is not None:
            self.dispatch.viral_written(msg.data["post_id"])

    def _on_stop(self, msg: Any, **_: Any) -> None:
        self.stop(msg.data["reason"])

    def _on_done(self, msg: Any, **_: Any) -> None:
        self._done.add(msg.node_id)
        self.failure = self.failure or msg.data["failure"]

    def gather(self, **_: Any) -> None:
        """Merge the workers' records on the master, once all are done or the time limit has passed."""
        if not isinstance(self._environment.runner, MasterRunner) or not self._workers or self.finished.is_set():
            return
        count, lost = len(self._workers), self.lost()
        for worker in lost:
            self._end_lost(self._folder(self._workers[worker], count))
        if lost:
            for client in self._workers.keys() - set(lost):
                self._environment.runner.send_message(STOP_MESSAGE, {"reason": _LOST}, client_id=client)
        with contextlib.suppress(gevent.Timeout), gevent.Timeout(_GATHER_WAIT_SECONDS):
            while not self._workers.keys() - set(lost) <= self._done:
                gevent.sleep(0.05)
        folders = [self._folder(worker, count) for worker in range(count)]
        missing = 0
        for folder in folders:
            if not (folder / record.LOAD_FILE).exists():
                missing += 1
                spool.recover(folder)
        written = [folder for folder in folders if (folder / record.LOAD_FILE).exists()]
        if written and not self.finished.is_set():
            self.load = record.merge(self._session.out, written, missing=missing)
        self.finished.set()

    def _end_lost(self, folder: Path) -> None:
        """Kill a worker that is only silent: it would continue to send when it wakes up, and its parent would wait."""
        head = spool.read_head(folder)
        if head is None:
            return
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{head.pid}/stat").read_text(encoding="utf-8", errors="replace")
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():  # still our own child
                os.kill(head.pid, signal.SIGKILL)

    def _folder(self, worker: int, worker_count: int) -> Path:
        return self._session.out if worker_count == 1 else self._session.out / f"worker-{worker}"
