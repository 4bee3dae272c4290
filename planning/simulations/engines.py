"""Has the model's engine compiled before it is needed, and says so, because that takes about a minute, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from present.progress import ProgressReport
from sim.compiled.kept import is_kept

if TYPE_CHECKING:
    from sim.simulate import EngineName


def ready(engine: EngineName, report: ProgressReport) -> None:
    """Compile in this process what several will need; nothing is to do where that was done before, or for SimPy."""
    if engine != "simpy" and not is_kept():
        from sim.compiled.warm import compile_now  # the engine is loaded only where it is needed

        report(0.0, 1.0, "compile the engine, once")
        compile_now()
