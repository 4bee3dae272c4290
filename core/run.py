"""The run: a folder written once and never edited, the same format for measured and simulated.

::

    scenario.yaml      the exact input
    run.json           what, when, where, valid or void (`RunRecord`)
    samples.parquet    a row per request and step
    usage.parquet      CPU by process and second
    stages.parquet     time spent in each stage of each operation, from the end of the warm-up on
    caches.parquet     hits and misses by cache, from the end of the warm-up on
    journal.jsonl      what happened: phases, faults, deaths

``run.json`` is written last: a folder without it is not a run. Everything but its times (``written``) is a function of
the input on the simulated side, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.fixed_work import SpeedAhead
from core.names import Origin, Outcome
from core.scenario import Scenario

SCHEMA_VERSION: Final = 1

SAMPLES: Final = pa.schema(
    [
        ("request", pa.int64()),  # index in the schedule; < 0 for traffic outside of it
        ("step", pa.int8()),  # index in the journey
        ("operation", pa.dictionary(pa.int16(), pa.string())),
        ("outcome", pa.dictionary(pa.int16(), pa.string())),
        ("status", pa.int16()),  # HTTP; 0 when there was no answer
        ("at_seconds", pa.float64()),  # intended start, from t0
        ("sent_seconds", pa.float64()),  # real start, from t0
        ("latency_seconds", pa.float64()),  # from the intended start to the last byte
    ]
)


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a run may be judged."""

    void: bool = False
    reasons: tuple[str, ...] = ()
    lag_p99_seconds: float | None = None  # of the generator: real minus intended start
    scheduled_count: int = 0
    sent_count: int = 0
    stall_ratio: float | None = None  # share of time that the host took away from a busy loop


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Times of writing, UTC, RFC 3339: the only part in which two identical simulated runs differ."""

    started: str
    finished: str
    wall_seconds: float


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``."""

    origin: Origin
    scenario: str  # name
    seed: int
    commit: str  # of the code, with ``+`` if the work tree differed
    engine: str = ""  # simpy, numba; empty when measured
    warm_up_seconds: float
    duration_seconds: float
    machine: dict[str, Any] = {}  # cores, memory, cpu model, kernel
    placement: dict[str, Any] = {}  # process → cores; cores kept awake
    calibration: str = ""  # id of the profile that gave the durations
    speed: float = 1.0  # CPU demand of this run over the calibrated one
    speed_ahead: SpeedAhead | None = None  # of a prediction: where ``speed`` comes from
    facts: dict[str, Any] = {}  # further figures, by name with unit
    ledger: dict[str, int] = {}  # acknowledged, found, lost … by operation
    validity: Validity = Validity()
    written: Written = Written(started="", finished="", wall_seconds=0.0)
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the journal."""

    at_seconds: float  # from t0
    event: str  # phase, fault_begins, fault_acted, fault_ends, process_died, process_restarted, aborted …
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Columns of the samples, all of the same length."""

    request: npt.NDArray[np.int64]
    step: npt.NDArray[np.int8]
    operation: npt.NDArray[np.object_]
    outcome: npt.NDArray[np.object_]
    status: npt.NDArray[np.int16]
    at_seconds: npt.NDArray[np.float64]
    sent_seconds: npt.NDArray[np.float64]
    latency_seconds: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.at_seconds)

    def where(self, mask: npt.NDArray[np.bool_]) -> Samples:
        """The samples for which ``mask`` holds."""
        return Samples(**{name: getattr(self, name)[mask] for name in SAMPLES.names})

    def judged(self) -> Samples:
        """The samples without the warm-up."""
        return self.where(self.at_seconds >= 0.0)

    def of(self, operation: str) -> Samples:
        """The samples of one operation."""
        return self.where(self.operation == operation)

    def answered(self) -> Samples:
        """The samples with an answer, complete or degraded."""
        return self.where(np.isin(self.outcome, [Outcome.OK.value, Outcome.DEGRADED.value]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run read back."""

    folder: Path
    record: RunRecord
    scenario: Scenario
    samples: Samples
    usage: pa.Table
    stages: pa.Table
    caches: pa.Table
    journal: tuple[Event, ...]

    @property
    def rows_kept_ratio(self) -> float:
        """Share of the requests whose rows are among the samples: below 1 only for a long simulated run."""
        return float(self.record.facts.get("rows_kept_ratio", 1.0))


class NotARunError(ValueError):
    """The folder holds no complete run; the message says what is missing."""


def samples_from_rows(rows: Sequence[tuple[int, int, str, str, int, float, float, float]]) -> Samples:
    """Build columns from rows in the order of SAMPLES."""
    columns: list[Sequence[Any]] = [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 8
    kinds = (np.int64, np.int8, object, object, np.int16, np.float64, np.float64, np.float64)
    arrays = [np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)]
    return Samples(**dict(zip(SAMPLES.names, arrays, strict=True)))
