"""Starts everything in the order of the plan, watches it, starts again what dies, stops it all.

Run as ``python -m stack.supervisor --scenario FILE --data DIR``, below its guard. It tells its caller what it does in
JSON lines on stdout until the stack is up or has failed, and writes `stack.json` and the journal in the data folder.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from core.names import Server
from stack import processes, state
from stack.backing import service
from stack.backing.registry import BACKINGS, Backing
from stack.command import Command
from stack.failure import NotReady, StackFailure
from stack.guard import family
from stack.holds import is_held
from stack.plan import Process, StackPlan
from stack.processes import Child
from stack.wards import Ward, snapshot

_READY_SECONDS: Final = 40.0  # a server that does not answer by then has failed
_RESTARTS_MAX: Final = 5
_BACKOFF_SECONDS: Final = 1.0  # between two starts of one process
_LOG_BYTES_MAX: Final = 256 * 2**20  # a log that grew beyond is emptied

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Tell = Callable[[dict[str, Any]], None]


class Supervisor:
    """Holds one stack."""

    def __init__(self, plan: StackPlan, tell: Tell):
        self._plan = plan
        self._tell = tell
        self._wards = {
            process.name: Ward(process, BACKINGS[process.server] if process.server else service)
            for process in plan.processes
        }
        self._state = "starting"
        self._started_at = time.time()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, stop. Raises StackFailure when the start fails, all stopped by then."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=32))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self._write()
        try:
            await self._start_or_stop()
            if not self._stopping.is_set():
                self._state = "running"
                await asyncio.to_thread(self._pin)
                self._write()
                seconds = round(time.time() - self._started_at, 2)
                self._note("up", seconds=seconds)
                self._tell({"event": "up", "seconds": seconds})
                await self._serve()
        except ExceptionGroup as group:
            failures, bugs = group.split(StackFailure)
            if bugs is not None:
                traceback.print_exception(bugs)
            self._state = "failed"
            await self._stop()
            self._write()
            if failures is None:
                raise
            failure = _first(failures)
            self._note("failed", message=str(failure))
            raise failure from None
        self._state = "stopping"
        self._write()
        await self._stop()
        self._state = "stopped"
        self._write()
        self._note("stopped")

    def _pin(self) -> None:
        for ward in self._wards.values():
            if ward.child is not None and ward.command is not None and ward.child.exit_code is None:
                processes.pin(family(ward.child.pid), ward.command.cores)

    async def _start_or_stop(self) -> None:
        starting = asyncio.create_task(self._start_all())
        stopping = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if starting not in done:
            starting.cancel()
        await asyncio.gather(starting, return_exceptions=starting not in done)

    async def _start_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for ward in self._wards.values():
                group.create_task(self._start_first(ward))

    async def _start_first(self, ward: Ward) -> None:
        name, began = ward.process.name, time.monotonic()
        # writing its files needs nobody else, so it does not wait; the start does
        command = await asyncio.to_thread(_prepare, ward.backing, self._plan, ward.process)
        ward.command = command
        for other in ward.process.after:
            await self._wards[other].up.wait()
        self._tell({"event": "starting", "name": name})
        await self._start(ward, command)
        self._tell({"event": "ready", "name": name, "seconds": round(time.monotonic() - began, 2)})

    async def _start(self, ward: Ward, command: Command) -> None:
        """Start it and wait until it is ready; raises StackFailure when it dies first or does not answer in time."""
        plan, process = self._plan, ward.process
        # the start of a whole stack may use every core there is; once it is up, each keeps to its own
        cores = () if self._state == "starting" else command.cores
        child = processes.start(process.name, command, plan.log(process.name), self._on_end, cores=cores)
        ward.child, ward.state = child, "starting"
        self._write()
        reason, deadline, pause = "", time.monotonic() + _READY_SECONDS, 0.02
        for step in (ward.backing.ready, ward.backing.settle):
            while True:
                if child.exit_code is not None:
                    raise StackFailure(
                        f"{process.name} ended while it was starting ({child.how_it_ended()})",
                        mend=f"the end of its log {plan.log(process.name)} says:\n"
                        + processes.last_lines(plan.log(process.name)),
                    )
                try:
                    await asyncio.to_thread(step, plan, process)
                    break
                except NotReady as error:
                    reason = str(error)
                if time.monotonic() > deadline:
                    raise StackFailure(
                        f"{process.name} was not ready within {_READY_SECONDS:g} s ({reason})",
                        mend=f"the end of its log {plan.log(process.name)} says:\n"
                        + processes.last_lines(plan.log(process.name)),
                    )
                await _pause(child, pause)
                pause = min(pause * 1.3, 0.2)
        ward.state = "ready"
        ward.up.set()
        self._write()

    def _on_end(self, child: Child) -> None:
        ward = self._wards[child.name]
        if ward.child is not child or self._state in ("stopping", "stopped", "failed"):
            return
        self._note("died", name=child.name, pid=child.pid, how=child.how_it_ended(), exit_code=child.exit_code)
        if ward.state == "ready":
            task = asyncio.create_task(self._restart(ward, child))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        ward.state = "died"
        self._write()

    async def _restart(self, ward: Ward, ended: Child) -> None:
        """Start it again: at once if it had run for a while, else once per second; give up after the fifth time."""
        name, command = ward.process.name, ward.command
        if command is None:
            raise ValueError(f"{name} was never started")
        while ward.restarts < _RESTARTS_MAX:
            await asyncio.sleep(max(0.0, ended.started_at + _BACKOFF_SECONDS - time.time()))
            while is_held(self._plan.data, name):
                if ward.state != "held":
                    ward.state = "held"
                    self._write()
                await asyncio.sleep(0.05)
            ward.restarts += 1
            try:
                await self._start(ward, command)
            except StackFailure as failure:
                self._note("restart failed", name=name, message=failure.what)
                if ward.child is None:
                    return
                await processes.stop(ward.child, command)
                ended = ward.child
                continue
            pid = ward.child.pid if ward.child else 0
            self._note("restarted", name=name, pid=pid, restarts=ward.restarts)
            return
        ward.state = "given up"
        self._note("given up", name=name, restarts=ward.restarts)
        self._write()

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(10):
                    await self._stopping.wait()
            except TimeoutError:
                await asyncio.to_thread(self._bound_logs)

    def _bound_logs(self) -> None:
        for name in self._wards:
            log = self._plan.log(name)
            if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
                os.truncate(log, 0)
                self._note("log emptied", name=name, bytes=_LOG_BYTES_MAX)

    async def _stop(self) -> None:
        """Services first, so that they drain while their stores answer; then all servers at once."""
        for task in tuple(self._tasks):
            task.cancel()
        for ours in (True, False):
            group = [ward for ward in self._wards.values() if (ward.process.server is None) is ours]
            gateways = [ward for ward in group if ward.process.server is Server.GATEWAY]
            await asyncio.gather(*(self._stop_one(ward) for ward in group if ward not in gateways))
            await asyncio.gather(*(self._stop_one(ward) for ward in gateways))

    async def _stop_one(self, ward: Ward) -> None:
        if ward.child is not None and ward.command is not None and not await processes.stop(ward.child, ward.command):
            self._note("killed", name=ward.process.name, after_seconds=ward.command.stop_seconds)
        ward.state = "stopped"

    def _note(self, event: str, **values: Any) -> None:
        with _disk_may_be_full():
            state.note(self._plan.data, event, values)

    def _write(self) -> None:
        with _disk_may_be_full():
            state.write(self._plan.data, snapshot(self._plan, self._wards.values(), self._state, self._started_at))


async def _pause(child: Child, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await child.ended.wait()
    except TimeoutError:
        return


@contextmanager
def _disk_may_be_full() -> Iterator[None]:
    """A stack must not fall over because there is no room to write about it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise


def _prepare(backing: Backing, plan: StackPlan, process: Process) -> Command:
    try:
        plan.log(process.name).touch()
        return backing.prepare(plan, process)
    except OSError as error:
        if error.errno in _FULL:
            raise StackFailure(
                f"no space left for {process.name} in {plan.data}", mend="free some, or choose another --data folder"
            ) from error
        if isinstance(error, PermissionError):
            raise StackFailure(f"cannot write the files of {process.name}: {error}", mend="check --data") from error
        raise


def _first(group: BaseExceptionGroup[StackFailure]) -> StackFailure:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, StackFailure):
        raise error
    return error


if __name__ == "__main__":
    from stack.entry import main

    sys.exit(main(sys.argv[1:]))
