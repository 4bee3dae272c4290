"""Links during a run: the time on the wire, and the toxics that act now (`sim.model.toxics`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.scenario.fault import LinkFault
from sim.model import toxics
from sim.model.toxics import TOXIC


def _none() -> Any:
    return np.recarray(0, dtype=TOXIC)


@dataclass(slots=True)
class LinkState:
    """A link from a caller to a callee. ``mu`` and ``sigma`` describe the lognormal wire time of one round trip."""

    name: str
    mu: float = -math.inf
    sigma: float = 0.0
    acting: list[LinkFault] = field(default_factory=list)
    _rows: Any = field(default_factory=_none)  # toxics that act

    def begin(self, fault: LinkFault) -> None:
        """Begin a fault."""
        row = np.recarray(1, dtype=TOXIC)
        row[0] = 0
        row["end"], row["acting"] = fault.end_seconds, True
        for name, value in toxics.values(fault.effect).items():
            row[name] = value
        self.acting.append(fault)
        self._rows = np.concatenate([self._rows, row]).view(np.recarray)

    def end(self, fault: LinkFault) -> None:
        """End a fault."""
        index = self.acting.index(fault)
        del self.acting[index]
        self._rows = np.delete(self._rows, index).view(np.recarray)

    def cut(self) -> bool:
        """Whether a call now finds the connection refused or cut."""
        return toxics.cut(self._rows, 0, len(self._rows))

    def send(self, *, now: float, sent_bytes: int) -> tuple[float, bool]:
        """As `sim.model.toxics.send`."""
        seconds, is_cut = toxics.send(self._rows, 0, len(self._rows), now, sent_bytes)
        return float(seconds), bool(is_cut)

    def answer(
        self, *, now: float, trips: float, answer_bytes: int, uniform: float, died: bool = False
    ) -> tuple[float, bool]:
        """As `sim.model.toxics.answer`."""
        seconds, is_cut = toxics.answer(self._rows, 0, len(self._rows), now, trips, answer_bytes, uniform, died)
        return float(seconds), bool(is_cut)
