"""Compiles the model's engine before workers need it, with progress, because the first time takes about a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from present.progress import ProgressReport
from sim.compiled.kept import is_kept

if TYPE_CHECKING:
    from sim.simulate import EngineName


def ready(engine: EngineName, report: ProgressReport) -> None:
    """Compile the engine once for several processes, unless that was done before or the engine is SimPy."""
    if engine != "simpy" and not is_kept():
        from sim.compiled.warm import compile_now  # the engine is loaded only where it is needed

        report(0.0, 1.0, "compile the engine, once")
        compile_now()
