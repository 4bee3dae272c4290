"""Files of a study: replaced atomically, with bytes that depend only on the content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from present import page
from present.parts import Report


def write_text(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_study(folder: Path, kind: str, *, record: Mapping[str, Any], report: Report) -> None:
    """Write a study's record as ``<kind>.json`` and its report as ``<kind>.html``."""
    write_json(folder / f"{kind}.json", record)
    write_text(folder / f"{kind}.html", page.render(report))


def write_rows(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as ``<name>.parquet`` and ``<name>.csv``; a column that a row does not have is empty there."""
    columns = dict.fromkeys(column for row in rows for column in row)
    table = pa.table({column: pa.array([row.get(column) for row in rows]) for column in columns})
    new = folder / f"{name}.new"
    pq.write_table(table, new, compression="zstd", write_statistics=False)
    new.replace(folder / f"{name}.parquet")
    pcsv.write_csv(table, new)
    new.replace(folder / f"{name}.csv")
