"""The results of a study: one file with a line for each finished simulation, which is never rewritten.

A line is written by one call and is on disk before the next simulation counts as done; an incomplete line is removed at
the next start. A study can therefore be stopped at any time and resumed.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from core.errors import UserError
from planning.simulations.readings import Reading
from planning.simulations.task import SimulationTask

RESULTS_FILE: Final = "results.jsonl"
#: The trials of a tuning, which it keeps from its beginning.
JOURNAL_FILE: Final = "search.journal"
#: Files by which a folder shows the kind of its study.
_KINDS: Final = {
    "sweep.json": "sweep",
    "diff.json": "diff",
    "tune.json": "tune",
    "breakpoint.json": "breakpoint",
    JOURNAL_FILE: "tune",
}


class Results:
    """The file in ``folder``; one process at a time. With ``force``, earlier results are discarded. A folder that holds
    a study of another ``kind`` is refused, even with ``force``, because its files would lie beside ours."""

    def __init__(self, folder: Path, *, force: bool = False, kind: str = ""):
        if kind:
            _refuse_others(folder, kind)
        self.folder = folder
        self._path = folder / RESULTS_FILE
        self._force = force
        self._known: dict[str, Reading] = {}
        self._file = -1

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UserError(f"{self._path}: {error.strerror}; choose another --out") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise UserError(f"{self.folder} is being written by another study; choose another --out") from error
        if self._force:
            os.ftruncate(self._file, 0)
            (self.folder / JOURNAL_FILE).unlink(missing_ok=True)
        self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Reading | None:
        """The stored reading of a simulation, if there is one."""
        return self._known.get(key)

    def add(self, task: SimulationTask, reading: Reading) -> None:
        """Keep a result."""
        record = {
            "key": task.key,
            "name": task.name,
            "seed": task.seed,
            "figures": dict(reading.figures),
            "excesses": dict(reading.excesses),
            "unsteady": reading.unsteady,
        }
        line = json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise UserError(f"{self._path}: the disk is full; earlier results are kept")
        os.fsync(self._file)
        self._known[task.key] = reading

    def _read(self) -> None:
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.ftruncate(self._file, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                record: dict[str, Any] = json.loads(line)
                reading = Reading(figures=record["figures"], excesses=record["excesses"], unsteady=record["unsteady"])
                self._known[record["key"]] = reading
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{self._path}:{number}: no result of a study; start again with --force") from error


def _refuse_others(folder: Path, kind: str) -> None:
    for name, other in _KINDS.items():
        if other != kind and (folder / name).exists():
            raise UserError(f"{folder} holds a {other} ({name}), and this is a {kind}; choose another --out")
