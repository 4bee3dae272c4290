"""Counts of all requests of a long run, in addition to the rows that it kept: latencies by histogram, outcomes by
second.

::

    latencies.parquet   requests by operation and bucket of `sim.results.histogram`
    outcomes.parquet    requests by operation, outcome and second from t0

Both leave out the warm-up. A run that has all its rows has neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.names import Outcome
from sim.results.histogram import Histogram
from sim.results.outcomes import OUTCOMES, Service

LATENCIES_FILE: Final = "latencies.parquet"
OUTCOMES_FILE: Final = "outcomes.parquet"


def write(folder: Path, services: Mapping[str, Service]) -> None:
    latencies = [
        (name, bucket, int(service.latency.counts[bucket]))
        for name, service in sorted(services.items())
        for bucket in np.flatnonzero(service.latency.counts).tolist()
    ]
    outcomes = [
        (name, OUTCOMES[code].value, second, int(service.by_second[code, second]))
        for name, service in sorted(services.items())
        for code, second in np.argwhere(service.by_second).tolist()
    ]
    for file, names, rows in (
        (LATENCIES_FILE, ("operation", "bucket", "count"), latencies),
        (OUTCOMES_FILE, ("operation", "outcome", "second", "count"), outcomes),
    ):
        columns = zip(names, zip(*rows, strict=True), strict=True) if rows else ((name, ()) for name in names)
        table = pa.table({name: pa.array(column) for name, column in columns})
        pq.write_table(table, folder / file, compression="zstd", write_statistics=False)


def read(folder: Path, *, duration_seconds: float) -> dict[str, Service] | None:
    """What `write` wrote; None if the run has all its rows."""
    if not (folder / LATENCIES_FILE).exists():
        return None
    found: dict[str, Service] = {}
    for row in pq.read_table(folder / LATENCIES_FILE).to_pylist():
        if row["operation"] not in found:
            seconds = max(1, int(np.ceil(duration_seconds)))
            by_second = np.zeros((len(OUTCOMES), seconds), dtype=np.int64)
            found[row["operation"]] = Service(latency=Histogram(), by_second=by_second)
        found[row["operation"]].latency.counts[row["bucket"]] = row["count"]
    codes = {outcome.value: code for code, outcome in enumerate(Outcome)}
    for row in pq.read_table(folder / OUTCOMES_FILE).to_pylist():
        found[row["operation"]].by_second[codes[row["outcome"]], row["second"]] = row["count"]
    return found
