"""The record of one process: a row per request and step, acknowledged writes, and whether the run is valid.

Rows are kept as tuples while traffic runs and become columns afterwards. Each process of a run writes the same files in
a folder of its own; `merge` combines them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from core import stats
from core.names import Outcome
from core.run import SAMPLES, Samples
from records import run

LAG_P99_MAX_SECONDS: Final = 0.005

LOAD_FILE: Final = "load.json"
HDR_FILE: Final = "latency.hdr.json"
ACKNOWLEDGED_FILE: Final = "acknowledged.jsonl"
_HDR_MAX_MICROSECONDS: Final = 600_000_000
_HDR_DIGITS: Final = 3
_SECONDS_NAMED_MAX: Final = 3  # in the reason why a run is void


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """``load.json``: how well the traffic was sent, whatever the answers were."""

    t0_unix: float  # wall clock of time 0, the end of the warm-up
    t0_unix_ns: int
    scheduled_count: int
    sent_count: int  # of those scheduled
    refused_count: int  # not sent because too many were in flight
    late_count: int  # sent later than the limit of lag
    lag_p50_seconds: float  # actual minus intended start, after the warm-up
    lag_p99_seconds: float
    lag_max_seconds: float
    outcomes: dict[str, int]  # of every step sent after the warm-up
    viral_expected: bool = False
    viral_post_id: str = ""
    connections_opened: int = 0
    spun: bool = False
    real_time: bool = False  # whether it ran with real-time priority
    stopped: str = ""  # why it ended early
    void: bool = False
    reasons: tuple[str, ...] = ()


Row = tuple[int, int, str, str, int, float, float, float]


@dataclass(slots=True, kw_only=True)
class Recorder:
    """Collects what one process sees; `core.run.SAMPLES` gives the columns of a row."""

    rows: list[Row] = field(default_factory=list)
    claims: list[dict[str, str | int | float]] = field(default_factory=list)
    sent_count: int = 0
    refused_count: int = 0

    def sample(self, row: Row) -> None:
        """Keep one request or step."""
        self.rows.append(row)

    def acknowledge(self, operation: str, at_seconds: float, values: dict[str, str | int]) -> None:
        """Keep what was acknowledged to a client."""
        self.claims.append({"operation": operation, **values, "at_seconds": round(at_seconds, 6)})


def load_of(
    samples: Samples,
    *,
    t0_unix_ns: int,
    scheduled_count: int,
    sent_count: int,
    refused_count: int,
    viral_expected: bool = False,
    viral_post_id: str = "",
    connections_opened: int = 0,
    spun: bool = False,
    real_time: bool = False,
    stopped: str = "",
) -> Load:
    """The summary; the run is void when the generator lagged, refused requests, or did not send what was scheduled."""
    judged = samples.judged()
    first = judged.where((judged.step == 0) & (judged.request >= 0))
    lag = first.sent_seconds - first.at_seconds
    quantiles = [stats.quantile(lag, q) if len(lag) else 0.0 for q in (0.5, 0.99, 1.0)]
    late = int((lag > LAG_P99_MAX_SECONDS).sum())
    reasons = []
    if stopped:
        reasons.append(f"the traffic was stopped: {stopped}")
    if quantiles[1] > LAG_P99_MAX_SECONDS:
        reasons.append(
            f"the generator lagged: p99 {quantiles[1] * 1e3:.1f} ms, limit {LAG_P99_MAX_SECONDS * 1e3:.0f} ms; "
            + _when_late(first.at_seconds, lag)
        )
    if refused_count:
        reasons.append(f"the generator refused {refused_count:,} requests because too many were in flight")
    if sent_count != scheduled_count:
        reasons.append(f"sent {sent_count:,} of {scheduled_count:,} scheduled requests")
    if viral_expected and not viral_post_id and not stopped:
        reasons.append("the viral post could not be written")
    names, counts = np.unique(judged.outcome.astype(str), return_counts=True)
    return Load(
        t0_unix=t0_unix_ns / 1e9,
        t0_unix_ns=t0_unix_ns,
        scheduled_count=scheduled_count,
        sent_count=sent_count,
        refused_count=refused_count,
        late_count=late,
        lag_p50_seconds=quantiles[0],
        lag_p99_seconds=quantiles[1],
        lag_max_seconds=quantiles[2],
        outcomes={str(name): int(count) for name, count in zip(names, counts, strict=True)},
        viral_expected=viral_expected,
        viral_post_id=viral_post_id,
        connections_opened=connections_opened,
        spun=spun,
        real_time=real_time,
        stopped=stopped,
        void=bool(reasons),
        reasons=tuple(reasons),
    )


def _when_late(at_seconds: npt.NDArray[np.float64], lag_seconds: npt.NDArray[np.float64]) -> str:
    """The seconds in which most requests were late: something else had the generator's core then."""
    late = lag_seconds > LAG_P99_MAX_SECONDS
    seconds, counts = np.unique(np.floor(at_seconds[late]).astype(int), return_counts=True)
    most = sorted(zip(-counts, seconds, strict=True))[:_SECONDS_NAMED_MAX]
    named = [
        f"second {second} ({-count} late, by up to {lag_seconds[np.floor(at_seconds) == second].max() * 1e3:.0f} ms)"
        for count, second in sorted(most, key=lambda each: each[1])
    ]
    more = f" and {len(seconds) - len(named)} more" if len(seconds) > len(named) else ""
    return f"its core was taken away in {', '.join(named)}{more}"


def write(folder: Path, *, samples: Samples, load: Load, claims: Sequence[dict[str, str | int | float]]) -> None:
    """Write the four files; ``load.json`` last, so a folder that has it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LOAD_FILE).unlink(missing_ok=True)
    run.write_samples(folder / run.SAMPLES_FILE, samples)
    (folder / HDR_FILE).write_bytes(msgspec.json.encode(histograms(samples)) + b"\n")
    (folder / ACKNOWLEDGED_FILE).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in claims))
    (folder / LOAD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(load), indent=2) + b"\n")


def read_load(folder: Path) -> Load:
    """Read ``load.json``; raises OSError or msgspec.DecodeError."""
    return msgspec.json.decode((folder / LOAD_FILE).read_bytes(), type=Load)


def merge(folder: Path, parts: Sequence[Path], *, missing: int = 0) -> Load:
    """Combine the records of several processes; ``missing`` processes ended too early, which makes the run void."""
    loads = [read_load(part) for part in parts]
    columns = [run.read_samples(part / run.SAMPLES_FILE) for part in parts]
    joined = Samples(**{name: np.concatenate([getattr(each, name) for each in columns]) for name in SAMPLES.names})
    order = np.lexsort((joined.step, joined.request, joined.at_seconds))
    samples = Samples(**{name: getattr(joined, name)[order] for name in SAMPLES.names})
    claims = [
        msgspec.json.decode(line, type=dict[str, str | int | float])
        for part in parts
        for line in (part / ACKNOWLEDGED_FILE).read_bytes().splitlines()
    ]
    stopped = list(dict.fromkeys(each.stopped for each in loads if each.stopped))
    if missing:
        stopped.append(f"{missing} of its processes ended too early; what they had recorded is kept")
    load = load_of(
        samples,
        t0_unix_ns=loads[0].t0_unix_ns,
        scheduled_count=sum(each.scheduled_count for each in loads),
        sent_count=sum(each.sent_count for each in loads),
        refused_count=sum(each.refused_count for each in loads),
        viral_expected=any(each.viral_expected for each in loads),
        viral_post_id=next((each.viral_post_id for each in loads if each.viral_post_id), ""),
        connections_opened=sum(each.connections_opened for each in loads),
        spun=all(each.spun for each in loads),
        real_time=all(each.real_time for each in loads),
        stopped="; ".join(stopped),
    )
    write(folder, samples=samples, load=load, claims=sorted(claims, key=lambda line: line["at_seconds"]))
    return load


def histograms(samples: Samples) -> dict[str, dict[str, str | int | float]]:
    """An HdrHistogram (V2, base64, microseconds) for each operation, of the requests answered after the warm-up."""
    judged = samples.judged()
    result: dict[str, dict[str, str | int | float]] = {}
    for name in sorted({str(each) for each in judged.operation}):
        own = judged.of(name)
        histogram = HdrHistogram(1, _HDR_MAX_MICROSECONDS, _HDR_DIGITS)
        for latency in own.answered().latency_seconds:
            histogram.record_value(max(1, min(_HDR_MAX_MICROSECONDS, round(latency * 1e6))))
        result[name] = {
            "unit": "microseconds",
            "count": int(histogram.get_total_count()),
            "unanswered": len(own) - int(histogram.get_total_count()),
            "p50": int(histogram.get_value_at_percentile(50.0)),
            "p95": int(histogram.get_value_at_percentile(95.0)),
            "p99": int(histogram.get_value_at_percentile(99.0)),
            "max": int(histogram.get_max_value()),
            "encoded": histogram.encode().decode("ascii"),
        }
    return result


def succeeded(outcome: Outcome) -> bool:
    """Whether the request was acknowledged as done."""
    return outcome in (Outcome.OK, Outcome.DEGRADED)
