"""Outcomes and latencies of a run, in memory that does not grow with it: counts, histograms, and rows of some requests.

A short run keeps a row for every request and step. In a long run (`sim.model.prepared.WHOLE_MAX`) every k-th request
keeps its rows, so that charts and verdicts use a fair sample, and figures come from counts of all requests: latencies
in a histogram for each operation, outcomes by operation and second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core import stats
from core.names import ERRORS, Outcome
from core.run import Samples
from sim.results.histogram import Histogram

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OUTCOMES: Final = tuple(Outcome)
#: Moments per second; one mean of `sim.results.warmup` is over that many.
MOMENTS: Final = 5
_IS_ERROR: Final = np.array([outcome in ERRORS for outcome in OUTCOMES])
_ANSWERED: Final = (OUTCOMES.index(Outcome.OK), OUTCOMES.index(Outcome.DEGRADED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Columns of equal length, in any order; ``operation`` is an index of ``operations``, ``outcome`` of `OUTCOMES`."""

    operations: tuple[str, ...]
    number: npt.NDArray[np.int64]
    step: npt.NDArray[np.int8]
    operation: npt.NDArray[np.int16]
    outcome: npt.NDArray[np.int8]
    status: npt.NDArray[np.int16]
    began_seconds: Floats
    latency_seconds: Floats

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def of_columns(cls, operations: tuple[str, ...], columns: Iterable[npt.ArrayLike]) -> Answers:
        """Answers from columns in the order of the fields."""
        kinds = zip(columns, _COLUMNS.items(), strict=True)
        return cls(operations=operations, **{name: np.array(column, dtype=kind) for column, (name, kind) in kinds})

    def where(self, mask: npt.NDArray[Any]) -> Answers:
        """The answers that a mask or indices select."""
        columns = {name: getattr(self, name)[mask] for name in _COLUMNS}
        return Answers(operations=self.operations, **columns)

    def samples(self) -> Samples:
        """The samples of a run, in the order of the schedule."""
        found = self.where(np.lexsort((self.step, self.number)))
        return Samples(
            request=found.number,
            step=found.step,
            operation=np.array(self.operations, dtype=object)[found.operation],
            outcome=np.array([outcome.value for outcome in OUTCOMES], dtype=object)[found.outcome],
            status=found.status,
            at_seconds=found.began_seconds,
            sent_seconds=found.began_seconds.copy(),
            latency_seconds=found.latency_seconds,
        )


#: Columns of `Answers` and their types.
_COLUMNS: Final = {
    "number": np.int64, "step": np.int8, "operation": np.int16, "outcome": np.int8, "status": np.int16,
    "began_seconds": np.float64, "latency_seconds": np.float64,
}  # fmt: skip


def joined(parts: Sequence[Answers], operations: tuple[str, ...]) -> Answers:
    """The answers of all parts, which have the same ``operations``."""
    columns = ([getattr(part, name) for part in parts] for name in _COLUMNS)
    return Answers.of_columns(operations, (np.concatenate(each) if each else () for each in columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Service of one operation in the judged time. Latency is as it is judged: a request without an answer has at least
    the client's patience (`core.judge.waited_seconds`)."""

    latency: Histogram
    by_second: Ints  # a row for each of `OUTCOMES`, by second from t0

    @property
    def count(self) -> int:
        """Number of requests."""
        return int(self.by_second.sum())

    @property
    def answered_count(self) -> int:
        """Number of requests that were served, wholly or degraded."""
        return int(self.by_second[list(_ANSWERED)].sum())

    @property
    def errors_ratio(self) -> float:
        """Share of errors; NaN without requests."""
        return int(self.by_second[_IS_ERROR].sum()) / self.count if self.count else float("nan")

    def errors(self) -> stats.Estimate:
        """Share of errors with its interval within this run (`core.stats.share_of_pieces`)."""
        seconds = self.by_second.shape[1]
        begins = np.unique(np.arange(stats.BLOCKS) * seconds // stats.BLOCKS)
        return stats.share_of_pieces(
            np.add.reduceat(self.by_second[_IS_ERROR].sum(axis=0), begins),
            np.add.reduceat(self.by_second.sum(axis=0), begins),
        )

    def quantile_seconds(self, q: float) -> float | None:
        """The q-quantile; None where there are too few requests for it."""
        return self.latency.quantile(q) if stats.supported(self.count, q) else None


class Outcomes:
    """Counts during a run. One request in ``every`` keeps its rows."""

    def __init__(
        self,
        operations: tuple[str, ...],
        *,
        seconds: int,
        warm_up_seconds: int,
        patience_seconds: float,
        every: int = 1,
    ):
        self._operations, self._patience_seconds, self.every = operations, patience_seconds, every
        self._latency = [Histogram() for _ in operations]
        self._by_second = np.zeros((len(operations), len(OUTCOMES), max(1, seconds)), dtype=np.int64)
        self._warm_up = warm_up_seconds
        self._moment_count = np.zeros(MOMENTS * (warm_up_seconds + max(1, seconds)), dtype=np.int64)
        self._moment_latency = np.zeros(len(self._moment_count))
        self._acknowledged = np.zeros(len(operations), dtype=np.int64)
        self._rows: list[Answers] = []
        self.count = 0

    def add(self, found: Answers) -> None:
        """Count requests that are over."""
        if found.operations != self._operations:
            raise ValueError("answers of other operations")
        self.count += len(found)
        self._rows.append(found.where(found.number % self.every == 0))
        answered = np.isin(found.outcome, _ANSWERED)
        self._acknowledged += np.bincount(found.operation[answered], minlength=len(self._operations))
        waited = np.where(
            _IS_ERROR[found.outcome],
            np.maximum(found.latency_seconds, self._patience_seconds),
            found.latency_seconds,
        )
        second = np.floor(found.began_seconds).astype(np.int64)
        moment = np.floor((found.began_seconds + self._warm_up) * MOMENTS).astype(np.int64)
        index = np.clip(moment, 0, len(self._moment_count) - 1)
        np.add.at(self._moment_count, index, 1)  # not over all moments, because a run may be long
        np.add.at(self._moment_latency, index, waited)
        judged = found.began_seconds >= 0.0
        seconds = self._by_second.shape[2]
        # a journey that begins in time may have steps that begin after the end: they count for the last second
        flat = (found.operation.astype(np.int64) * len(OUTCOMES) + found.outcome) * seconds + np.minimum(
            second, seconds - 1
        )
        np.add.at(self._by_second.reshape(-1), flat[judged], 1)
        for operation in np.unique(found.operation[judged]).tolist():
            self._latency[operation].add(waited[judged & (found.operation == operation)])

    def samples(self) -> Samples:
        """Rows of the requests that keep theirs."""
        return joined(self._rows, self._operations).samples()

    def services(self) -> dict[str, Service]:
        """By operation, of those that were requested."""
        return {
            name: Service(latency=self._latency[index], by_second=self._by_second[index])
            for index, name in enumerate(self._operations)
            if self._by_second[index].any()
        }

    def acknowledged(self) -> dict[str, int]:
        """Requests that were answered, including the warm-up's, by operation."""
        counts = zip(self._operations, self._acknowledged.tolist(), strict=True)
        return {name: count for name, count in counts if count}

    def means(self) -> Floats:
        """Mean latency of requests that began in each moment from the warm-up's start on; NaN where there were none."""
        with np.errstate(invalid="ignore"):
            return self._moment_latency / self._moment_count


def outcomes_of(samples: Samples, *, seconds: int, warm_up_seconds: int, patience_seconds: float) -> Outcomes:
    """The `Outcomes` of a run that has all its rows."""
    names, index = np.unique(samples.operation.astype(str), return_inverse=True)
    operations = tuple(str(name) for name in names)
    codes: Mapping[str, int] = {outcome.value: code for code, outcome in enumerate(OUTCOMES)}
    found = Outcomes(operations, seconds=seconds, warm_up_seconds=warm_up_seconds, patience_seconds=patience_seconds)
    found.add(
        Answers(
            operations=operations,
            number=samples.request,
            step=samples.step,
            operation=index.astype(np.int16),
            outcome=np.array([codes[each] for each in samples.outcome], dtype=np.int8),
            status=samples.status,
            began_seconds=samples.at_seconds,
            latency_seconds=samples.latency_seconds,
        )
    )
    return found
