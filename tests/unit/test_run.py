"""The run record: what is written is read back, the same bytes for the same run, and never over another."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from core.names import Origin
from core.run import SAMPLES, Event, NotARunError, RunRecord, Validity, samples_from_rows
from records import run

RECORD = RunRecord(
    origin=Origin.SIMULATED, scenario="tiny", seed=7, commit="abc", warm_up_seconds=1.0, duration_seconds=5.0,
    facts={"b": 2, "a": 1}, ledger={"like.add.lost": 0}, validity=Validity(void=True, reasons=("why",)),
)  # fmt: skip
ROWS: list[tuple[int, int, str, str, int, float, float, float]] = [
    (0, 0, "feed.read", "ok", 200, -0.5, -0.499, 0.01),
    (1, 0, "feed.read", "degraded", 200, 0.5, 0.501, 0.02),
    (2, 0, "like.add", "timeout", 0, 1.5, 1.5, 5.0),
    (3, 0, "media.create", "ok", 201, 2.0, 2.0, 0.03),
    (3, 1, "object.put", "lost", 0, 2.03, 2.03, 0.0),
    (-1, 0, "post.create", "ok", 201, 3.0, 3.0, 0.04),
]


def write(folder: Path) -> None:
    run.write(
        folder,
        record=RECORD,
        scenario_text="scenario: tiny\n",
        samples=samples_from_rows(ROWS),
        usage=[("feed", -1, 0.25), ("feed", 0, 0.5)],
        stages=[("feed", "feed.read", "hydrate", 2, 0.005)],
        caches=[("timeline", 9, 1)],
        journal=[Event(at_seconds=1.0, event="fault_begins", values={"link": "feed_redis"})],
    )


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write(tmp_path)
    found = run.read(tmp_path)
    assert found.record == RECORD
    assert found.scenario.name == "tiny"
    expected = samples_from_rows(ROWS)
    for name in SAMPLES.names:
        assert getattr(found.samples, name).tolist() == getattr(expected, name).tolist(), name
    assert found.usage.to_pylist()[1] == {"process": "feed", "second": 0, "cpu_seconds": 0.5}
    assert found.stages.num_rows == found.caches.num_rows == 1
    assert found.journal == (Event(at_seconds=1.0, event="fault_begins", values={"link": "feed_redis"}),)


def test_the_same_run_written_twice_is_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_run_is_never_written_over_another(tmp_path: Path) -> None:
    write(tmp_path)
    before = digests(tmp_path)
    with pytest.raises(FileExistsError, match="never edited"):
        write(tmp_path)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("name", ["run.json", "samples.parquet", "scenario.yaml", "journal.jsonl", "usage.parquet"])
def test_a_folder_that_lacks_a_file_is_not_a_run_and_the_message_says_so(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(NotARunError, match=name.split(".")[0]):
        run.read(tmp_path)


@pytest.mark.parametrize("name", ["run.json", "samples.parquet", "scenario.yaml", "journal.jsonl"])
def test_a_folder_with_a_broken_file_is_not_a_run(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / name).write_bytes(b"{broken")
    with pytest.raises(NotARunError):
        run.read(tmp_path)


def test_an_empty_run_can_be_written_and_read(tmp_path: Path) -> None:
    run.write(tmp_path, record=RECORD, scenario_text="scenario: tiny\n", samples=samples_from_rows([]))
    found = run.read(tmp_path)
    assert len(found.samples) == found.usage.num_rows == len(found.journal) == 0


def test_samples_alone_are_read_back(tmp_path: Path) -> None:
    run.write_samples(tmp_path / "part.parquet", samples_from_rows(ROWS))
    assert run.read_samples(tmp_path / "part.parquet").operation.tolist() == [row[2] for row in ROWS]


def test_views_of_samples_keep_what_they_say() -> None:
    samples = samples_from_rows(ROWS)
    assert samples.judged().request.tolist() == [1, 2, 3, 3, -1]
    assert samples.of("feed.read").outcome.tolist() == ["ok", "degraded"]
    assert samples.answered().status.tolist() == [200, 200, 201, 201]
    assert len(samples.where(np.zeros(len(samples), dtype=bool))) == 0
