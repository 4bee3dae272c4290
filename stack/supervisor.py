"""Starts all processes in the order of the plan, watches them, restarts those that die, and stops them all.

Run as ``python -m stack.supervisor --scenario FILE --data DIR``, below its guard. It reports to its caller in JSON
lines on stdout until the stack is up or has failed, and writes `stack.json` and the journal in the data folder.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from core.names import Server
from core.policies import restarts
from stack import exporter, processes, state, watch
from stack.addresses import LOOPBACK
from stack.backing import gateway, kafka, service
from stack.backing.registry import BACKINGS, Backing
from stack.command import Command
from stack.failure import NotReady, StackFailure
from stack.guard import family
from stack.holds import is_held
from stack.plan import Process, StackPlan
from stack.processes import Child
from stack.start_deadline import StartDeadline
from stack.supervised import LIVE, SupervisedProcess, snapshot
from stack.watch import WatchResult

_LOOK_AROUND_SECONDS: Final = 2.0  # between two checks of the logs and the disk
_LOG_BYTES_MAX: Final = 256 * 2**20  # a larger log is emptied

_WHY: Final = {
    WatchResult.FROZEN: "does not answer and does nothing",
    WatchResult.SILENT: f"has not answered for {watch.BUSY_SECONDS:g} s",
    WatchResult.GONE: "does not answer",
}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Tell = Callable[[dict[str, Any]], None]


class Supervisor:
    """Supervises one stack."""

    def __init__(self, plan: StackPlan, tell: Tell):
        self._plan = plan
        self._tell = tell
        self._supervised = {
            process.name: SupervisedProcess(process, BACKINGS[process.server] if process.server else service)
            for process in plan.processes
        }
        self._state = "starting"
        self._started_at = time.time()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._exporter = exporter.Exporter(self._supervised)
        self._full = False

    async def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, stop. Raises StackFailure when the start fails, after stopping all."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=32))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
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
                self._look_at_disk()
                self._beside(self._watch())
                self._beside(self._exporter.serve(LOOPBACK, self._plan.ports[exporter.PORT]))
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
        for supervised in self._supervised.values():
            if supervised.child is not None and supervised.command is not None and supervised.child.exit_code is None:
                processes.pin(family(supervised.child.pid), supervised.command.cores)

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
            for supervised in self._supervised.values():
                group.create_task(self._start_first(supervised))

    async def _start_first(self, supervised: SupervisedProcess) -> None:
        name, began = supervised.process.name, time.monotonic()
        # writing its files needs no other process, so only the start waits
        command = await asyncio.to_thread(_prepare, supervised.backing, self._plan, supervised.process)
        supervised.command = command
        for other in supervised.process.after:
            await self._supervised[other].up.wait()
        self._tell({"event": "starting", "name": name})
        await self._start(supervised, command)
        self._tell({"event": "ready", "name": name, "seconds": round(time.monotonic() - began, 2)})

    async def _start(self, supervised: SupervisedProcess, command: Command) -> None:
        """Start it and wait until it is ready; raises StackFailure when it dies first or does not answer in time."""
        plan, process = self._plan, supervised.process
        # a start may use all cores; processes are pinned once ready, those of a starting stack once all of it is
        child = processes.start(process.name, command, plan.log(process.name), self._on_end, niceness=process.niceness)
        supervised.child, supervised.state = child, "starting"
        self._write()
        reason, pause, began = "", 0.02, time.monotonic()
        deadline = StartDeadline(child.pid, began)
        for step in (supervised.backing.ready, supervised.backing.settle):
            while True:
                if child.exit_code is not None:
                    raise self._failure(process, f"ended while it was starting ({child.how_it_ended()})")
                try:
                    await asyncio.to_thread(step, plan, process)
                    break
                except NotReady as error:
                    reason = str(error)
                if deadline.is_over(time.monotonic()):
                    seconds = time.monotonic() - began
                    raise self._failure(process, f"was not ready within {seconds:.0f} s ({reason})")
                await _pause(child, pause)
                pause = min(pause * 1.3, 0.2)
        if self._state != "starting":
            await asyncio.to_thread(processes.pin, family(child.pid), command.cores)
        supervised.ready()
        self._write()

    def _failure(self, process: Process, what: str) -> StackFailure:
        log = self._plan.log(process.name)
        end = "\n".join(processes.last_lines(log))
        said = f"the end of its log {log} is:\n{end}" if end else f"its log {log} is empty"
        return StackFailure(f"{process.name} {what}", hint=said)

    def _on_end(self, child: Child) -> None:
        supervised = self._supervised[child.name]
        if supervised.child is not child or self._state in ("stopping", "stopped", "failed"):
            return
        was_ready = supervised.state in LIVE
        supervised.died(child.how_it_ended(), processes.last_words(self._plan.log(child.name)))
        self._note(
            "died",
            name=child.name,
            pid=child.pid,
            how=supervised.end,
            exit_code=child.exit_code,
            said=supervised.end_said,
        )
        self._exporter.died(child.name, supervised.end)
        self._mark(supervised, f"pid {child.pid} ended: {supervised.end}")
        if was_ready:
            self._beside(self._restart(supervised))
        self._write()

    async def _restart(self, supervised: SupervisedProcess) -> None:
        """Start it again until it is ready, for as long as that takes; `core.policies.restarts` says when."""
        name = supervised.process.name
        while True:
            pause = restarts.pause_seconds(supervised.deaths)
            if pause:
                self._enter(supervised, "backing off")
                await asyncio.sleep(pause)
            while is_held(self._plan.data, name):
                self._enter(supervised, "held")
                await asyncio.sleep(0.05)
            supervised.restarts += 1
            try:
                command = await asyncio.to_thread(self._command, supervised)
            except StackFailure as failure:
                self._note("restart failed", name=name, message=failure.what)
                supervised.deaths += 1
                continue
            try:
                await self._start(supervised, command)
            except StackFailure as failure:
                self._note("restart failed", name=name, message=failure.what)
                if supervised.child is not None and supervised.child.exit_code is None:
                    await processes.stop(supervised.child, command)  # its end is recorded and counted like any other
                continue
            pid = supervised.child.pid if supervised.child else 0
            self._note("restarted", name=name, pid=pid, restarts=supervised.restarts)
            self._mark(supervised, f"started again as pid {pid}, restart {supervised.restarts}")
            return

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(watch.LOOK_SECONDS)
            for supervised in self._supervised.values():
                try:
                    self._look(supervised)
                except OSError:
                    traceback.print_exc()  # into the supervisor's log; the watch continues

    def _look(self, supervised: SupervisedProcess) -> None:
        """Check whether a running process still works, and act if it does not."""
        name, child = supervised.process.name, supervised.child
        if child is None or child.exit_code is not None or supervised.state not in LIVE or supervised.doom:
            supervised.unwatch()
            return
        if is_held(self._plan.data, name):  # it is left to the program that holds it
            supervised.unwatch()
            self._enter(supervised, "paused" if watch.stopped(child.pid) else "ready")
            return
        if supervised.watch is None:
            supervised.watch = watch.Watch(child.pid, supervised.backing.question(self._plan, supervised.process))
        finding = supervised.watch.look(time.monotonic())
        if finding is WatchResult.WELL:
            if supervised.state == "unresponsive":
                self._note("answers again", name=name, pid=child.pid)
            self._enter(supervised, "ready")
        elif finding is not WatchResult.BUSY and supervised.state != "unresponsive":
            self._enter(supervised, "unresponsive")
            self._exporter.unresponsive(name)
            self._note("unresponsive", name=name, pid=child.pid, how=_WHY[finding])
            self._mark(supervised, f"pid {child.pid} {_WHY[finding]}")
            if supervised.process.settings is not None:
                self._beside(gateway.take_out(self._plan, supervised.process))
        if finding is WatchResult.GONE:
            supervised.doom = "did not answer and was killed by the supervisor"
            watch.end(child.pid)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _command(self, supervised: SupervisedProcess) -> Command:
        """The command of a restart: the same as before, because a full disk has no room to prepare it again.

        Only a Kafka whose data is gone is formatted again, because PostgreSQL has all unhandled events. A cluster of
        PostgreSQL that is gone must not be replaced by an empty one while it is in use.
        """
        if supervised.command is None or (
            supervised.process.server is Server.KAFKA and kafka.is_empty(self._plan, supervised.process)
        ):
            supervised.command = _prepare(supervised.backing, self._plan, supervised.process)
        return supervised.command

    def _enter(self, supervised: SupervisedProcess, now: str) -> None:
        if supervised.state != now:
            supervised.state = now
            self._write()

    def _mark(self, supervised: SupervisedProcess, text: str) -> None:
        """Add a line of ours to the process's own log, so that one log shows everything about it."""
        if self._state == "starting":
            return  # a start that fails is shown with the end of this log
        with _disk_may_be_full():
            processes.mark(self._plan.log(supervised.process.name), text)

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(_LOOK_AROUND_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                await asyncio.to_thread(self._bound_logs)
            self._look_at_disk()

    def _look_at_disk(self) -> None:
        free = shutil.disk_usage(self._plan.data).free
        self._exporter.free(free)
        full = free < state.DISK_FULL_BYTES
        if free > 4 * state.RESERVE_BYTES:  # more than was freed for reporting a full disk
            with _disk_may_be_full():
                state.keep_reserve(self._plan.data)
        if full is not self._full:
            self._full = full
            self._note("disk full" if full else "disk has space again", free_bytes=free, folder=str(self._plan.data))

    def _bound_logs(self) -> None:
        for name in self._supervised:
            log = self._plan.log(name)
            if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
                os.truncate(log, 0)
                self._note("log emptied", name=name, bytes=_LOG_BYTES_MAX)

    async def _stop(self) -> None:
        """Stop services first, so that they drain while their stores still answer; then all servers at once."""
        for task in tuple(self._tasks):
            task.cancel()
        for supervised in self._supervised.values():
            supervised.unwatch()
        for ours in (True, False):
            group = [each for each in self._supervised.values() if (each.process.server is None) is ours]
            gateways = [supervised for supervised in group if supervised.process.server is Server.GATEWAY]
            await asyncio.gather(*(self._stop_one(supervised) for supervised in group if supervised not in gateways))
            await asyncio.gather(*(self._stop_one(supervised) for supervised in gateways))

    async def _stop_one(self, supervised: SupervisedProcess) -> None:
        if (
            supervised.child is not None
            and supervised.command is not None
            and not await processes.stop(supervised.child, supervised.command)
        ):
            self._note("killed", name=supervised.process.name, after_seconds=supervised.command.stop_seconds)
        supervised.state = "stopped"

    def _note(self, event: str, **values: Any) -> None:
        self._put(lambda: state.note(self._plan.data, event, values))

    def _write(self) -> None:
        for supervised in self._supervised.values():
            self._exporter.up(supervised.process.name, is_up=supervised.state == "ready")
        seen = snapshot(self._plan, self._supervised.values(), self._state, self._started_at)
        self._put(lambda: state.write(self._plan.data, seen))

    def _put(self, write: Callable[[], None]) -> None:
        """Write a file about the stack; on a full disk, in the reserved space."""
        for _ in range(2):
            written = False
            with _disk_may_be_full():
                write()
                written = True
            if written or not state.free_reserve(self._plan.data):
                return


async def _pause(child: Child, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await child.ended.wait()
    except TimeoutError:
        return


@contextmanager
def _disk_may_be_full() -> Iterator[None]:
    """Keep the stack running if its state cannot be written because the disk is full."""
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
                f"no space left for {process.name} in {plan.data}", hint="free some, or choose another --data folder"
            ) from error
        if isinstance(error, PermissionError):
            raise StackFailure(f"cannot write the files of {process.name}: {error}", hint="check --data") from error
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
