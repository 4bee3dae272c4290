"""Controls a warden from the runner: start it with its orders, read its journal, stop it.

The runner needs no event loop: a thread reads the warden's journal. If the warden itself is killed, the runner starts
another one that has no faults to inject and so only removes what was left.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import msgspec

from chaos import journal
from chaos.faults import undo_process
from chaos.orders import Orders, OrdersError, ProcessOrder, of_scenario
from core.run import Event
from core.scenario import Scenario

READY_SECONDS_MAX: Final = 10.0
STOP_SECONDS_MAX: Final = 8.0
_REMOVED: Final = (0, 1)


class WardenError(Exception):
    """The warden could not start, or a fault may still act; the message says what."""


class WardenProcess:
    """A running warden. As a context manager it is stopped at the end of the block, and every fault is removed."""

    def __init__(self, orders: Orders, *, on_event: Callable[[Event], None] | None = None):
        self._orders = orders
        self._on_event = on_event
        self._events: list[Event] = []
        self._complaints: list[str] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._zero = time.monotonic() + (orders.t0_unix - time.time())
        self._process = _spawn(orders)
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout,), name="warden", daemon=True),
            threading.Thread(target=self._complain, args=(self._process.stderr,), name="warden errors", daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Process id of the warden."""
        return self._process.pid

    @property
    def is_healthy(self) -> bool:
        """Whether the warden runs, or has ended without an error."""
        return self._stopped or self._process.poll() in (None, *_REMOVED)

    def events(self) -> tuple[Event, ...]:
        """The journal so far, sorted by time."""
        with self._changed:
            return tuple(sorted(self._events, key=lambda event: event.at_seconds))

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until the last fault is removed; returns whether it is."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_seconds)
        return self._process.poll() is not None

    def abort(self, reason: str) -> tuple[Event, ...]:
        """Write the reason to the journal, remove every fault now and return the whole journal; see `stop`."""
        with self._changed:
            at_seconds = round(time.monotonic() - self._zero, 4)
            self._events.append(Event(at_seconds=at_seconds, event=journal.ABORTED, values={"reason": reason}))
        return self.stop()

    def stop(self) -> tuple[Event, ...]:
        """Remove every fault that still acts, end the warden and return the whole journal. May be called twice. Raises
        WardenError when a fault may still act.
        """
        if not self._stopped:
            self._stopped = True
            self._end()
        return self.events()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for reader in self._readers:
            reader.join(timeout=1.0)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if code in _REMOVED or not self._orders.orders or not any(e.event == journal.READY for e in self._events):
            return
        # killed, or unable to remove a fault: undo what needs no network; a warden that only sweeps does the rest
        for order in self._orders.orders:
            if isinstance(order, ProcessOrder):
                undo_process(order)
        with WardenProcess(msgspec.structs.replace(self._orders, orders=())) as second:
            second.wait(STOP_SECONDS_MAX)
        left = [event.values.get("left") for event in second.events() if event.event == journal.READY]
        self._events.append(
            Event(
                at_seconds=round(time.monotonic() - self._zero, 4),
                event="warden_died",
                values={"exit_code": code, "left": left[0] if left else None, "said": self._said()},
            )
        )

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        with self._changed:
            while not any(event.event == journal.READY for event in self._events):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._changed.wait(0.2)  # its last output may still arrive
                    raise WardenError(f"the warden did not start: {self._said() or 'no message'}")
                self._changed.wait(0.05)

    def _said(self) -> str:
        return "".join(self._complaints).strip()[-2000:]

    def _read(self, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            try:
                event = journal.read_line(line.decode())
            except ValueError:
                self._complaints.append(line.decode(errors="replace"))
                continue
            with self._changed:
                self._events.append(event)
                self._changed.notify_all()
            if self._on_event is not None:
                self._on_event(event)

    def _complain(self, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            self._complaints.append(line.decode(errors="replace"))


def start(
    scenario: Scenario,
    *,
    t0_unix: float,
    stack_data: Path | None = None,
    toxiproxy_url: str = "",
    proxies: Mapping[str, Sequence[str]] | None = None,
    processes: Mapping[str, int] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> WardenProcess:
    """Start a warden for the faults of ``scenario``; t0 is at the wall clock's ``t0_unix``.

    ``stack_data`` is the folder of a running stack, whose ``stack.json`` gives the rest: Toxiproxy's address, its
    proxies by link, pids by name; otherwise these are arguments. Toxics that an earlier runner left are removed before
    this returns. Raises OrdersError, WardenError.
    """
    if stack_data is not None:
        stack = _read_stack(stack_data)
        toxiproxy_url = toxiproxy_url or str(stack.get("toxiproxy_url", ""))
        proxies = proxies if proxies is not None else stack.get("proxies", {})
        processes = processes or {each["name"]: each["pid"] for each in stack.get("processes", ()) if each["pid"]}
    orders = of_scenario(
        scenario,
        t0_unix=t0_unix,
        toxiproxy_url=toxiproxy_url,
        proxies=proxies or {},
        processes=processes or {},
        stack_data=str(stack_data) if stack_data is not None else "",
    )
    return WardenProcess(orders, on_event=on_event)


def _read_stack(stack_data: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((stack_data / "stack.json").read_bytes())
    except (OSError, ValueError) as error:
        raise OrdersError(f"no stack in {stack_data}: {error}") from error
    return found


def _spawn(orders: Orders) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.warden"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # not killed with the runner's group, so that it can remove its faults
    )
    if process.stdin is None:
        raise WardenError("the warden has no pipe")
    with suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        process.stdin.flush()
    return process
