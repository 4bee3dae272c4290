"""Reads what the dashboard shows: run folders only. It judges nothing; `lab.compare` has done that.

A folder under ``runs/`` has a comparison, or has none yet, or is broken; each becomes a `RunEntry` that says which, so
that no page fails on a folder in an unexpected state.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core import judge
from core.names import Origin
from core.run import NotARunError, Samples
from lab import agreement
from records import folders, run
from records.comparison import ABORTED, FILE, HELD, MISSED, VOID, Comparison, NoComparisonError, read_comparison

#: More runs than these are not listed; the oldest are left out, and the page says so.
ENTRIES_MAX: Final = 500

_WORDS: Final = {HELD: "held", MISSED: "missed", ABORTED: "aborted", VOID: "void"}
RUNNING: Final = "running"
INTERRUPTED: Final = "interrupted"
NOT_COMPARED: Final = "not compared"
_BOTH: Final = (Origin.SIMULATED, Origin.MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One folder of runs; when ``comparison`` is None, ``reason`` says why."""

    id: str
    folder: Path
    stamp: int  # changes when the comparison is written again
    comparison: Comparison | None
    reason: str = ""
    state: str = NOT_COMPARED  # without a comparison: running, interrupted, only one side
    remedy: str = ""  # the command that creates one

    @property
    def word(self) -> str:
        """Held, missed, aborted or void, with the side if there is only one; without a comparison the run's state."""
        if self.comparison is None:
            return self.state
        word = _WORDS.get(self.comparison.exit_code, "unknown")
        sides = {Origin.SIMULATED: self.comparison.simulated, Origin.MEASURED: self.comparison.measured}
        there = [origin.value for origin, side in sides.items() if side.present]
        return f"{word}, only {there[0]}" if len(there) == 1 else word


def entries(runs: Path) -> tuple[RunEntry, ...]:
    """Every run folder under ``runs``, newest first; nothing when there is no such folder."""
    try:
        folders = sorted((each for each in runs.iterdir() if _is_run(each)), key=lambda each: each.name, reverse=True)
    except OSError:
        return ()
    return tuple(_entry(each) for each in folders[:ENTRIES_MAX])


def single_runs(folder: Path) -> tuple[Path, ...]:
    """Runs of one side that lie in ``folder`` or are the folder itself, as `simulate` and `measure` write with
    --out."""
    return tuple(sorted(each.parent for each in (*folder.glob(run.RECORD_FILE), *folder.glob(f"*/{run.RECORD_FILE}"))))


def samples(entry: RunEntry, *, in_faults: bool | None = None) -> Mapping[Origin, Samples]:
    """The judged samples of each readable side, with latency as `core.judge` counts it; ``in_faults`` selects those
    during a fault, or the others."""
    found = {}
    faults = entry.comparison.faults if entry.comparison is not None else ()
    windows = tuple((each.begins_seconds, each.ends_seconds) for each in faults)
    for origin in (Origin.SIMULATED, Origin.MEASURED):
        try:
            side = run.read(entry.folder / origin.value)
        except NotARunError:
            continue  # the comparison says why this side is missing
        judged = side.samples.judged()
        if in_faults is not None:
            judged = judged.where(judge.in_windows(judged, windows) == in_faults)
        found[origin] = agreement.waited(judged, side.scenario.traffic.timeout_seconds)
    return found


def broken(entry: RunEntry) -> Mapping[Origin, str]:
    """Sides of the comparison that can no longer be read, and why."""
    comparison, found = entry.comparison, {}
    if comparison is None:
        return {}
    for origin, side in ((Origin.SIMULATED, comparison.simulated), (Origin.MEASURED, comparison.measured)):
        if side.present:
            try:
                run.read(entry.folder / origin.value)
            except NotARunError as error:
                found[origin] = str(error)
    return found


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (FILE, folders.MARK, *(origin.value for origin in Origin)))


def _entry(folder: Path) -> RunEntry:
    try:
        stamp = (folder / FILE).stat().st_mtime_ns
        return RunEntry(id=folder.name, folder=folder, stamp=stamp, comparison=read_comparison(folder))
    except FileNotFoundError:
        return _uncompared(folder)
    except (OSError, NoComparisonError) as error:
        reason = f"its comparison cannot be read ({error})"
    return _without(folder, NOT_COMPARED, reason, _report(folder))


def _uncompared(folder: Path) -> RunEntry:
    """The state of a folder without a comparison, by the sides that exist and the process that works on it."""
    if folders.is_running(folder):
        return _without(folder, RUNNING, "it is still running", "")
    there = [origin for origin in _BOTH if (folder / origin.value / run.RECORD_FILE).exists()]
    if not there:
        return _without(folder, INTERRUPTED, "it was interrupted before either side was recorded", "")
    if len(there) == 2:
        return _without(folder, INTERRUPTED, "it was interrupted before its sides were compared", _report(folder))
    other = next(origin for origin in _BOTH if origin not in there)
    if (folder / other.value).exists() or (folder / folders.MARK).exists():
        reason = f"it was interrupted: only its {there[0].value} side is complete"
        return _without(folder, INTERRUPTED, reason, _report(folder))
    return _without(
        folder, f"only {there[0].value}", f"it is only {there[0].value}, and has not been judged yet", _report(folder)
    )


def _without(folder: Path, state: str, reason: str, remedy: str) -> RunEntry:
    return RunEntry(id=folder.name, folder=folder, stamp=0, comparison=None, reason=reason, state=state, remedy=remedy)


def _report(folder: Path) -> str:
    return f"windtunnel report {shlex.quote(str(folder))}"
