"""Faults as async context managers: entering injects, leaving removes (however the block ends), `prove` checks it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from chaos import processes, proof
from chaos.links import Links
from chaos.orders import LinkOrder, ProcessOrder
from chaos.processes import ProcessTarget
from chaos.proof import ANSWER, SILENT, ProbeResult, Proof
from chaos.toxiproxy import ProxyAddresses, ToxiproxyClient, WireGoneError
from core.faults import is_hidden

_AGAIN_SECONDS: Final = 0.02
#: For a link that could not be probed while it was healthy.
UNSEEN: Final = ProbeResult(end=SILENT, seconds=0.0)


class LinkInjector:
    """Toxics on every proxy of a link, or all of its proxies disabled. Raises WireError.

    Faults on one link share ``links``: each is proven by the change that it makes in addition to the others.
    """

    def __init__(self, order: LinkOrder, wire: ToxiproxyClient, links: Links | None = None):
        self._order = order
        self._wire = wire
        self._links = links if links is not None else Links()
        self._places: dict[str, ProxyAddresses] = {}
        self.says = ""  # result of the last probe that proved nothing

    async def prepare(self) -> None:
        """Probe the link while it is healthy; call it early, and again shortly before the fault."""
        for name in self._order.proxies:
            place = await self._place(name)
            link = self._links.of(name)
            change = link.change
            if link.acting or link.is_changing:
                continue  # keep what was seen before it was broken
            well = await proof.before(self._order, place.listens)
            if link.change == change:
                link.see_well(self._order, well)

    async def __aenter__(self) -> Self:
        try:
            for name in self._order.proxies:
                with self._links.of(name).changing(begins=self._order):
                    if self._order.effect.refuses:
                        await self._wire.switch_off(name)
                    for toxic in self._order.toxics:
                        await self._wire.add(name, toxic)
        except BaseException:
            await self._undo()
            raise
        return self

    async def prove(self) -> Proof:
        """Probe each proxy through its own connection until all are seen to be broken; a proxy whose server does not
        answer anyway is not waited for if another one is. Never returns if none is: the caller sets a time limit, and
        `says` holds what was seen."""
        acted: dict[str, Proof] = {}
        dead: set[str] = set()
        tried: dict[tuple[str, int], int] = {}
        while True:
            for name in self._order.proxies:
                if name in acted:
                    continue
                link = self._links.of(name)
                change, others = link.change, link.others(self._order)
                count = tried.get((name, change), 0)
                if (
                    link.is_changing
                    or is_hidden(self._order.effect, [other.effect for other in others], self._order.speaks)
                    or count >= proof.tries(self._order, others)
                ):
                    continue
                place = await self._place(name)
                seen, beside = await proof.probe(self._order, place.listens, place.behind, others)
                if link.change != change:
                    continue  # the link changed during the probe
                tried[name, change] = count + 1
                dead = dead | {name} if beside.end != ANSWER else dead - {name}
                found = proof.judge(self._order, link.well(self._order) or UNSEEN, seen, beside, others)
                if found.acted:
                    acted[name] = found
                else:
                    self.says = found.says
            if acted and acted.keys() | dead >= set(self._order.proxies):
                return next(iter(acted.values()))
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _place(self, name: str) -> ProxyAddresses:
        if name not in self._places:
            self._places[name] = await self._wire.place(name)
        return self._places[name]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._undo()

    async def _undo(self) -> None:
        with suppress(WireGoneError):  # without a server there are no toxics
            for name in self._order.proxies:
                with self._links.of(name).changing(ends=self._order):
                    if self._order.effect.refuses:
                        await self._wire.switch_on(name)
                    for toxic in self._order.toxics:
                        await self._wire.remove(name, toxic.name)


class ProcessInjector:
    """A process killed, paused, or stopped and started again. Raises ProcessError.

    The supervisor restarts a process that died or froze; a hold prevents that until the fault is over.
    """

    def __init__(self, order: ProcessOrder):
        self._order = order
        self._target: ProcessTarget | None = None
        self._paused: tuple[ProcessTarget, ...] = ()
        self._took_seconds = 0.0

    async def prepare(self) -> None:
        """Check that the process runs."""
        order = self._order
        pid = processes.pid_of(Path(order.stack_file), order.target) if order.stack_file else order.pid
        self._target = ProcessTarget.of(order.target, pid)

    async def __aenter__(self) -> Self:
        target = self._known()
        if self._order.hold:
            processes.hold(Path(self._order.hold))
        try:
            if self._order.kind == "pause":
                self._paused = processes.family(target)  # known before the first is stopped, to resume all in any case
                self._paused = await processes.pause(target)
            elif self._order.kind == "kill":
                self._took_seconds = await processes.kill(target)
            else:
                self._took_seconds = await processes.stop(target)
        except BaseException:
            self._undo()
            raise
        return self

    async def prove(self) -> Proof:
        """Check the state of the process in /proc."""
        target = self._known()
        state = target.state
        if self._order.kind == "pause":
            return Proof(acted=state in ("T", "t"), says=f"pid {target.pid} is in state {state} (stopped)")
        says = f"pid {target.pid} ended after {self._took_seconds * 1000:.0f} ms"
        return Proof(acted=target.is_dead, says=says, seen_seconds=self._took_seconds)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo()

    def _known(self) -> ProcessTarget:
        if self._target is None:
            raise processes.ProcessError(f"{self._order.target} was not checked before the fault")
        return self._target

    def _undo(self) -> None:
        processes.resume(self._paused)
        if self._order.hold:
            processes.release(Path(self._order.hold))


def undo_process(order: ProcessOrder) -> None:
    """Undo what a killed warden may have left of ``order``: a stopped process, or a hold."""
    if order.kind == "pause":
        with suppress(processes.ProcessError):
            pid = processes.pid_of(Path(order.stack_file), order.target) if order.stack_file else order.pid
            processes.resume(processes.family(ProcessTarget.of(order.target, pid)))
    if order.hold:
        processes.release(Path(order.hold))
