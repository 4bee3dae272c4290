"""The faults that one warden has put on each proxy, and how the proxy answered while it was healthy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chaos.orders import LinkOrder
from chaos.proof import ANSWER, ProbeResult
from core.faults import Question, question


class Link:
    """One proxy. A probe during which ``change`` changes has seen two states and proves neither."""

    def __init__(self) -> None:
        self.change = 0
        self.acting: dict[int, LinkOrder] = {}
        self._changing = 0
        self._well: dict[Question, ProbeResult] = {}

    @property
    def is_changing(self) -> bool:
        """Whether a toxic is being added or removed at this moment."""
        return self._changing > 0

    def others(self, order: LinkOrder) -> tuple[LinkOrder, ...]:
        """The orders that act at the same time as ``order``."""
        return tuple(other for number, other in self.acting.items() if number != order.number)

    def well(self, order: LinkOrder) -> ProbeResult | None:
        """The healthy proxy's answer to the question that proves ``order``."""
        return self._well.get(question(order.effect, order.speaks))

    def see_well(self, order: LinkOrder, seen: ProbeResult) -> None:
        """Keep a probe of the healthy proxy; a probe without an answer does not replace one with an answer."""
        asked = question(order.effect, order.speaks)
        if seen.end == ANSWER or asked not in self._well:
            self._well[asked] = seen

    @contextmanager
    def changing(self, *, begins: LinkOrder | None = None, ends: LinkOrder | None = None) -> Iterator[None]:
        """While a fault is being injected or removed."""
        self.change += 1
        self._changing += 1
        if begins is not None:
            self.acting[begins.number] = begins
        try:
            yield
        finally:
            self._changing -= 1
            self.change += 1
            if ends is not None:
                self.acting.pop(ends.number, None)


class Links:
    """All proxies by name."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}

    def of(self, proxy: str) -> Link:
        """One proxy."""
        return self._links.setdefault(proxy, Link())
