"""Reads what the dashboard shows: run folders and nothing else. It judges nothing; `lab.compare` has done that.

A folder under ``runs/`` is a pair with a comparison, or a pair that has none yet, or something broken; each becomes an
`Entry` that says which, so that a page never meets an exception where a folder is not as it should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core import judge, run
from core.names import Origin
from core.run import NotARunError, Samples
from lab import agreement
from lab.comparison import ABORTED, FILE, HELD, MISSED, VOID, Comparison, NoComparisonError, read_comparison

#: More runs than these are not listed; the oldest are left out, and the page says so.
ENTRIES_MAX: Final = 500

_WORDS: Final = {HELD: "held", MISSED: "missed", ABORTED: "aborted", VOID: "void"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One folder of runs; ``comparison`` is None where there is none, and ``reason`` says why."""

    id: str
    folder: Path
    stamp: int  # changes when the comparison is written again
    comparison: Comparison | None
    reason: str = ""

    @property
    def word(self) -> str:
        """Held, missed, aborted, void, or not compared."""
        if self.comparison is None:
            return "not compared"
        return _WORDS.get(self.comparison.exit_code, "unknown")


def entries(runs: Path) -> tuple[Entry, ...]:
    """Every run folder under ``runs``, newest first; nothing when there is no such folder."""
    try:
        folders = sorted((each for each in runs.iterdir() if _is_run(each)), key=lambda each: each.name, reverse=True)
    except OSError:
        return ()
    return tuple(_entry(each) for each in folders[:ENTRIES_MAX])


def samples(entry: Entry, *, in_faults: bool | None = None) -> Mapping[Origin, Samples]:
    """The judged samples of each side that can be read, as `core.judge` counts their latency; ``in_faults`` takes those
    that touch a fault, or those that touch none."""
    found = {}
    faults = entry.comparison.faults if entry.comparison is not None else ()
    windows = tuple((each.begins_seconds, each.ends_seconds) for each in faults)
    for origin in (Origin.SIMULATED, Origin.MEASURED):
        try:
            side = run.read(entry.folder / origin.value)
        except NotARunError:
            continue  # the comparison says that and why this side is missing
        judged = side.samples.judged()
        if in_faults is not None:
            judged = judged.where(judge.in_windows(judged, windows) == in_faults)
        found[origin] = agreement.waited(judged, side.scenario.traffic.timeout_seconds)
    return found


def _is_run(folder: Path) -> bool:
    return (folder / FILE).exists() or any((folder / origin.value).is_dir() for origin in Origin)


def _entry(folder: Path) -> Entry:
    try:
        stamp = (folder / FILE).stat().st_mtime_ns
        return Entry(id=folder.name, folder=folder, stamp=stamp, comparison=read_comparison(folder))
    except FileNotFoundError:
        reason = "it was not compared: still running, or stopped before its end"
    except (OSError, NoComparisonError) as error:
        reason = f"its comparison cannot be read ({error})"
    return Entry(id=folder.name, folder=folder, stamp=0, comparison=None, reason=reason)
