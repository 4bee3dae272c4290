"""Faults as async context managers: enter breaks, leave mends however the block is left, `prove` shows the effect."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos import processes, proof
from chaos.orders import LinkOrder, ProcessOrder
from chaos.processes import Target
from chaos.proof import Proof, Seen
from chaos.toxiproxy import Wire, WireGoneError
from core.names import FaultKind


class LinkFault:
    """Toxics on every proxy of a link, or all of its proxies switched off. Raises WireError."""

    def __init__(self, order: LinkOrder, wire: Wire):
        self._order = order
        self._wire = wire
        self._well: dict[str, Seen] = {}
        self._addresses: dict[str, tuple[str, int]] = {}

    async def prepare(self) -> None:
        """Look at the link while it is well; to be called shortly before the fault."""
        for name in self._order.proxies:
            self._addresses[name] = await self._wire.listens(name)
            self._well[name] = await proof.before(self._order, self._addresses[name])

    async def __aenter__(self) -> Self:
        try:
            for name in self._order.proxies:
                if self._order.kind is FaultKind.DOWN:
                    await self._wire.switch_off(name)
                for toxic in self._order.toxics:
                    await self._wire.add(name, toxic)
        except BaseException:
            await self._mend()
            raise
        return self

    async def prove(self) -> Proof:
        """Probe each proxy through its own connection; the proof of the weakest counts."""
        proofs = [
            await proof.prove(self._order, self._addresses[name], self._well[name]) for name in self._order.proxies
        ]
        return next((each for each in proofs if not each.acted), proofs[0])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._mend()

    async def _mend(self) -> None:
        with suppress(WireGoneError):  # no server, no toxic
            for name in self._order.proxies:
                if self._order.kind is FaultKind.DOWN:
                    await self._wire.switch_on(name)
                for toxic in self._order.toxics:
                    await self._wire.remove(name, toxic.name)


class ProcessFault:
    """A process killed, paused, or stopped and started again. Raises ProcessError.

    Starting again is its supervisor's work: a hold keeps it from that until the fault is over.
    """

    def __init__(self, order: ProcessOrder):
        self._order = order
        self._target: Target | None = None
        self._paused: tuple[Target, ...] = ()
        self._took_seconds = 0.0

    async def prepare(self) -> None:
        """See that the process runs."""
        order = self._order
        pid = processes.pid_of(Path(order.stack_file), order.target) if order.stack_file else order.pid
        self._target = Target.of(order.target, pid)

    async def __aenter__(self) -> Self:
        target = self._known()
        if self._order.hold:
            processes.hold(Path(self._order.hold))
        try:
            if self._order.kind is FaultKind.PAUSE:
                self._paused = processes.family(target)  # known before the first is stopped, to resume all in any case
                self._paused = await processes.pause(target)
            elif self._order.kind is FaultKind.KILL:
                self._took_seconds = await processes.kill(target)
            else:
                self._took_seconds = await processes.stop(target)
        except BaseException:
            self._mend()
            raise
        return self

    async def prove(self) -> Proof:
        """Look into /proc."""
        target = self._known()
        state = target.state
        if self._order.kind is FaultKind.PAUSE:
            return Proof(acted=state in ("T", "t"), says=f"pid {target.pid} is in state {state} (stopped)")
        says = f"pid {target.pid} ended after {self._took_seconds * 1000:.0f} ms"
        return Proof(acted=target.is_dead, says=says, seen_seconds=self._took_seconds)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mend()

    def _known(self) -> Target:
        if self._target is None:
            raise processes.ProcessError(f"{self._order.target} was not looked at before the fault")
        return self._target

    def _mend(self) -> None:
        processes.resume(self._paused)
        if self._order.hold:
            processes.release(Path(self._order.hold))


def mend_process(order: ProcessOrder) -> None:
    """Undo what a warden that was killed may have left of ``order``: a process that is stopped, or a hold."""
    if order.hold:
        processes.release(Path(order.hold))
    if order.kind is FaultKind.PAUSE:
        with suppress(processes.ProcessError):
            pid = processes.pid_of(Path(order.stack_file), order.target) if order.stack_file else order.pid
            processes.resume(processes.family(Target.of(order.target, pid)))
