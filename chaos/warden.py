"""The warden: a small process that injects the faults of one run and removes them whatever happens to the runner.

``python -m chaos.warden`` reads its orders as one JSON line on stdin and keeps that pipe. When it closes, because the
runner ended or was killed, or on SIGTERM, the warden removes every fault at once and ends. What it does and sees goes
to stdout, one JSON line each. First it removes what an earlier runner and its warden left behind.

Exit codes: 0 all faults removed on time, 1 removed early, 2 the orders cannot be read, 3 a fault may still act.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any, Final

import msgspec

from chaos import journal
from chaos.faults import LinkInjector, ProcessInjector
from chaos.links import Links
from chaos.orders import LinkOrder, Order, Orders
from chaos.processes import ProcessError
from chaos.toxiproxy import ToxiproxyClient, WireError, WireGoneError

#: A fault's target is probed this long before it acts.
PREPARE_SECONDS: Final = 0.7
#: … and for at least this long, even if that delays the fault.
PREPARE_SECONDS_MIN: Final = 0.2
#: A fault that would begin later than this after its time is not injected.
LATE_SECONDS_MAX: Final = 0.5
#: Time limit of the proof of an instantaneous fault, such as a kill.
PROVE_SECONDS_MIN: Final = 2.0
#: Every fault must be removed within this time after the runner is gone.
REMOVE_SECONDS_MAX: Final = 4.0
_LINE_BYTES_MAX: Final = 2**20


class Warden:
    """Carries out orders against a clock that starts at t0, and journals them on stdout."""

    def __init__(self, orders: Orders, wire: ToxiproxyClient | None):
        self._orders = orders
        self._wire = wire
        self._links = Links()
        # read once: a step of the wall clock must not move the faults
        self._zero = time.monotonic() + (orders.t0_unix - time.time())

    @property
    def now_seconds(self) -> float:
        """Time from t0."""
        return time.monotonic() - self._zero

    def tell(self, event: str, **values: Any) -> None:
        """Write one line of the journal; a runner that is gone reads none."""
        text = journal.line(self.now_seconds, event, {k: v for k, v in values.items() if v is not None})
        try:
            os.write(1, text.encode() + b"\n")
        except OSError:
            return

    async def sweep(self) -> tuple[str, ...]:
        """Remove every toxic of ours from Toxiproxy; does nothing without a Toxiproxy, or if it is gone."""
        if self._wire is None:
            return ()
        try:
            return await self._wire.sweep()
        except WireGoneError:
            return ()

    async def carry_out(self) -> None:
        """Carry out all orders, each at its time."""
        async with asyncio.TaskGroup() as group:
            for order in self._orders.orders:
                group.create_task(self._carry_out(order))

    async def _carry_out(self, order: Order) -> None:
        about: dict[str, Any] = {"fault": order.number, "target": order.target, "kind": order.kind}
        try:
            fault = self._fault(order)
            if isinstance(fault, LinkInjector):  # early: later, other faults may act on its link
                await self._prepare(fault, order)
            await self._until(order.begins_seconds - PREPARE_SECONDS)
            await self._prepare(fault, order)
            await self._until(order.begins_seconds)
            if self.now_seconds > order.begins_seconds + LATE_SECONDS_MAX:
                self.tell(
                    journal.FAILED,
                    **about,
                    reason=f"it would begin {self.now_seconds - order.begins_seconds:.1f} s late",
                )
                return
            async with fault:
                self.tell(journal.BEGINS, **about)
                await self._prove(fault, order, about)
                await self._until(order.ends_seconds)
            self.tell(journal.ENDS, **about)
        except (WireError, ProcessError, OSError) as error:
            self.tell(journal.FAILED, **about, reason=str(error))
        except asyncio.CancelledError:
            if self.now_seconds >= order.begins_seconds:
                self.tell(journal.ENDS, **about, early=True)
            raise

    def _fault(self, order: Order) -> LinkInjector | ProcessInjector:
        if isinstance(order, LinkOrder):
            if self._wire is None:
                raise WireError("no address of Toxiproxy was given")
            return LinkInjector(order, self._wire, self._links)
        return ProcessInjector(order)

    async def _prepare(self, fault: LinkInjector | ProcessInjector, order: Order) -> None:
        """Probe the target, but never so long that the fault would be late."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(PREPARE_SECONDS_MIN, order.begins_seconds - self.now_seconds)):
                await fault.prepare()

    async def _prove(self, fault: LinkInjector | ProcessInjector, order: Order, about: dict[str, Any]) -> None:
        deadline = max(order.ends_seconds, order.begins_seconds + PROVE_SECONDS_MIN)
        try:
            async with asyncio.timeout(max(0.0, deadline - self.now_seconds)):
                found = await fault.prove()
        except TimeoutError:
            seen = fault.says if isinstance(fault, LinkInjector) else ""
            self.tell(journal.UNPROVEN, **about, says=seen or "no probe ended while it acted alone")
            return
        self.tell(
            journal.ACTED if found.acted else journal.UNPROVEN,
            **about,
            says=found.says,
            before_seconds=found.before_seconds,
            seen_seconds=found.seen_seconds,
            needed_seconds=found.needed_seconds,
        )

    async def _until(self, at_seconds: float) -> None:
        if (wait_seconds := at_seconds - self.now_seconds) > 0:
            await asyncio.sleep(wait_seconds)


async def run(orders: Orders, stdin: asyncio.StreamReader) -> int:
    """Carry out ``orders`` until they are done, stdin closes or SIGTERM comes; returns the exit code."""
    speaks_to_toxiproxy = any(isinstance(order, LinkOrder) for order in orders.orders)
    try:
        wire = ToxiproxyClient(orders.toxiproxy_url) if speaks_to_toxiproxy or orders.toxiproxy_url else None
        warden = Warden(orders, wire)
        warden.tell(journal.READY, left=list(await warden.sweep()))
    except WireError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    work = asyncio.create_task(warden.carry_out(), name="done")
    gone = asyncio.create_task(_closed(stdin), name="runner gone")
    stop = asyncio.create_task(stopping.wait(), name="stopped")
    done, _ = await asyncio.wait((work, gone, stop), return_when=asyncio.FIRST_COMPLETED)
    why = "done" if work in done else next(iter(done)).get_name()
    early = work not in done
    work.cancel()
    await asyncio.wait((work,), timeout=REMOVE_SECONDS_MAX)
    try:
        left = await warden.sweep()
    except WireError as error:
        warden.tell(journal.WARDEN_ENDED, reason=why, not_removed=str(error))
        return 3
    warden.tell(journal.WARDEN_ENDED, reason=why, left=list(left) or None)
    if not work.done() or (not work.cancelled() and work.exception() is not None):
        return 3
    return 1 if early else 0


async def _closed(stdin: asyncio.StreamReader) -> None:
    while await stdin.read(4096):
        pass


async def _main() -> int:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        orders = msgspec.json.decode(await reader.readline(), type=Orders)
    except (msgspec.DecodeError, ValueError) as error:
        sys.stderr.write(f"the orders cannot be read: {error}\n")
        return 2
    return await run(orders, reader)


def main() -> None:
    """Run, and end at once even if a thread still waits for a Toxiproxy that does not answer."""
    # the client's HTTP library would send even loopback addresses to a proxy that the environment names
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
    code = asyncio.run(_main())
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
