"""The spool: what one process has recorded so far, on disk while its traffic runs, so that it survives the process.

The first line says what is scheduled, each further line has the rows since the line before. A process that ends
normally writes its record (`loadtest.record`) and removes this file; `recover` writes the record of a killed one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from core import run
from loadtest import record
from loadtest.record import Row

FILE: Final = "spool.jsonl"
#: A killed process loses the rows of at most this time.
EVERY_SECONDS: Final = 0.2
KILLED: Final = "it ended before it wrote its record"


class SpoolHead(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    pid: int
    t0_unix_ns: int
    scheduled_count: int
    viral_expected: bool = False


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Every other line."""

    sent_count: int
    refused_count: int
    viral_post_id: str = ""
    rows: list[Row] = []
    claims: list[dict[str, str | int | float]] = []


class Spool:
    """Appends to the file of one folder. A full disk closes the spool; the traffic continues."""

    def __init__(self, folder: Path, head: SpoolHead) -> None:
        self._path = folder / FILE
        self._rows, self._claims = 0, 0
        self._encoder = msgspec.json.Encoder()
        self._descriptor = -1
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / record.LOAD_FILE).unlink(missing_ok=True)  # of an earlier run
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
            self._append(head)

    @property
    def is_closed(self) -> bool:
        """Whether the spool is closed."""
        return self._descriptor < 0

    def keep(self, recorder: record.Recorder, *, viral_post_id: str) -> None:
        """Append the rows since the last call."""
        rows, claims = recorder.rows[self._rows :], recorder.claims[self._claims :]
        if self._descriptor < 0 or not (rows or claims):
            return
        self._rows, self._claims = self._rows + len(rows), self._claims + len(claims)
        self._append(
            _Part(
                sent_count=recorder.sent_count,
                refused_count=recorder.refused_count,
                viral_post_id=viral_post_id,
                rows=rows,
                claims=claims,
            )
        )

    def close(self, *, remove: bool) -> None:
        """Close it; ``remove`` when the record has been written."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if remove:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _append(self, line: msgspec.Struct) -> None:
        data = self._encoder.encode(line) + b"\n"
        try:
            if os.write(self._descriptor, data) < len(data):
                self.close(remove=False)  # a further line would be joined to this incomplete one
        except OSError:
            self.close(remove=False)


def read_head(folder: Path) -> SpoolHead | None:
    """The first line of a folder's file; None when there is none."""
    try:
        with (folder / FILE).open("rb") as file:
            return msgspec.json.decode(file.readline(), type=SpoolHead)
    except (OSError, msgspec.DecodeError):
        return None


def recover(folder: Path, *, reason: str = KILLED) -> record.Load | None:
    """Write the record for a process that was killed; None when it has no spool."""
    head = read_head(folder)
    if head is None:
        return None
    parts = _parts((folder / FILE).read_bytes().splitlines()[1:])
    rows = [row for part in parts for row in part.rows]
    samples = run.samples_from_rows(sorted(rows, key=lambda row: (row[5], row[0], row[1])))
    last = parts[-1] if parts else _Part(sent_count=0, refused_count=0)
    load = record.load_of(
        samples,
        t0_unix_ns=head.t0_unix_ns,
        scheduled_count=head.scheduled_count,
        sent_count=last.sent_count,
        refused_count=last.refused_count,
        viral_expected=head.viral_expected,
        viral_post_id=last.viral_post_id,
        stopped=reason,
    )
    record.write(folder, samples=samples, load=load, claims=[line for part in parts for line in part.claims])
    (folder / FILE).unlink(missing_ok=True)
    return load


def _parts(lines: Sequence[bytes]) -> list[_Part]:
    decoder, parts = msgspec.json.Decoder(_Part), []
    for line in lines:
        try:
            parts.append(decoder.decode(line))
        except msgspec.DecodeError:
            break  # it was killed while it wrote this one
    return parts
