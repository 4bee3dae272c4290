"""Reads and writes runs: a folder that is written once and never edited."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from core.run import SAMPLES, Event, NotARunError, Run, RunRecord, Samples
from core.scenario import parse

RECORD_FILE: Final = "run.json"
SAMPLES_FILE: Final = "samples.parquet"
USAGE: Final = pa.schema(
    [
        ("process", pa.string()),
        ("second", pa.int32()),  # from t0
        ("cpu_seconds", pa.float64()),
    ]
)
STAGES: Final = pa.schema(
    [
        ("component", pa.string()),
        ("operation", pa.string()),
        ("stage", pa.string()),
        ("count", pa.int64()),
        ("total_seconds", pa.float64()),
    ]
)
CACHES: Final = pa.schema([("cache", pa.string()), ("hit_count", pa.int64()), ("miss_count", pa.int64())])


def write_samples(path: Path, samples: Samples) -> None:
    """Write only samples, as a part of a run that is still being made."""
    columns = {name: getattr(samples, name) for name in SAMPLES.names}
    for name in ("operation", "outcome"):
        columns[name] = pa.array(columns[name], type=pa.string()).dictionary_encode().cast(SAMPLES.field(name).type)
    _write_table(path, pa.table(columns, schema=SAMPLES))


def read_samples(path: Path) -> Samples:
    """Read samples that `write_samples` wrote; raises OSError, or pyarrow's ArrowException."""
    return _samples(pq.read_table(path, schema=SAMPLES))


def write(
    folder: Path,
    *,
    record: RunRecord,
    scenario_text: str,
    samples: Samples,
    usage: Iterable[tuple[str, int, float]] = (),
    stages: Iterable[tuple[str, str, str, int, float]] = (),
    caches: Iterable[tuple[str, int, int]] = (),
    journal: Iterable[Event] = (),
) -> None:
    """Write a run into ``folder``, which must not hold one; raises FileExistsError."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / RECORD_FILE).exists():
        raise FileExistsError(f"{folder} holds a run already; runs are never edited")
    (folder / "scenario.yaml").write_text(scenario_text, encoding="utf-8")
    write_samples(folder / SAMPLES_FILE, samples)
    _write_table(folder / "usage.parquet", _table(usage, USAGE))
    _write_table(folder / "stages.parquet", _table(stages, STAGES))
    _write_table(folder / "caches.parquet", _table(caches, CACHES))
    lines = [json.dumps({"at_seconds": e.at_seconds, "event": e.event, **e.values}, sort_keys=True) for e in journal]
    (folder / "journal.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    data = msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=2)
    (folder / RECORD_FILE).write_bytes(data + b"\n")


def read(folder: Path) -> Run:
    """Read the run in ``folder``; raises NotARunError."""
    try:
        record = read_record(folder)
        text = (folder / "journal.jsonl").read_text(encoding="utf-8")
        return Run(
            folder=folder,
            record=record,
            scenario=parse((folder / "scenario.yaml").read_text(encoding="utf-8"), file=str(folder / "scenario.yaml")),
            samples=read_samples(folder / SAMPLES_FILE),
            usage=pq.read_table(folder / "usage.parquet", schema=USAGE),
            stages=pq.read_table(folder / "stages.parquet", schema=STAGES),
            caches=pq.read_table(folder / "caches.parquet", schema=CACHES),
            journal=tuple(_event(line) for line in text.splitlines()),
        )
    except (OSError, ValueError, pa.ArrowException) as error:
        raise NotARunError(f"{folder}: {error}") from error


def read_record(folder: Path) -> RunRecord:
    """Read only ``run.json``; raises NotARunError."""
    try:
        return msgspec.json.decode((folder / RECORD_FILE).read_bytes(), type=RunRecord)
    except (OSError, msgspec.DecodeError) as error:
        raise NotARunError(f"{folder}: {error}") from error


def _samples(table: pa.Table) -> Samples:
    columns = {}
    for name in SAMPLES.names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
            columns[name] = column.to_numpy(zero_copy_only=False).astype(object)
        else:
            columns[name] = column.to_numpy()
    return Samples(**columns)


def _table(rows: Iterable[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _write_table(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd", write_statistics=False)


def _event(line: str) -> Event:
    values = json.loads(line)
    return Event(at_seconds=values.pop("at_seconds"), event=values.pop("event"), values=values)
