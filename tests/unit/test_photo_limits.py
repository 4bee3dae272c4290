"""The limits of one photo in upload, checks, decoders, scanner and containers fit each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from core.policies import photo
from core.policies.photo import Lane
from services.media.events.scheduler import SOON_SECONDS
from services.media.rules import work
from services.media.store.scanner import SECONDS_MAX
from services.upload import rules as upload
from stack.backing import clamd, service
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """What clamd's configuration says, as it is written for a stack."""
    text = clamd.settings(port=1, bind="127.0.0.1", folder=Path("/nowhere"), database=Path("/nowhere/database"))
    return dict(line.split(" ", 1) for line in text.splitlines() if line)


def test_the_scanner_reads_every_photo_that_upload_accepts(settings: dict[str, str]) -> None:
    assert upload.SIZE_BYTES_MAX == photo.BYTES_MAX
    assert photo.BYTES_MAX < int(settings["StreamMaxLength"]) <= int(settings["MaxFileSize"])
    assert int(settings["MaxFileSize"]) <= int(settings["MaxScanSize"])


def test_the_scanner_holds_as_many_photos_as_it_is_sent_and_decodes_none(settings: dict[str, str]) -> None:
    assert settings["ScanImageFuzzyHash"] == "no"
    assert int(settings["MaxThreads"]) > photo.SCANS_AT_ONCE_MAX  # one thread is left to answer PING
    assert int(settings["MaxQueue"]) >= int(settings["MaxThreads"])
    each = int(settings["StreamMaxLength"]) + int(settings["MaxScanSize"])
    assert photo.SCANS_AT_ONCE_MAX * each <= photo.SCANNER_BYTES_MAX


def test_a_scanner_reports_a_timeout_before_its_caller_gives_up(settings: dict[str, str]) -> None:
    assert int(settings["MaxScanTime"]) / 1000 <= photo.SCAN_SECONDS_MAX < SECONDS_MAX
    assert settings["AlertExceedsMax"] == "yes"  # a file that was not fully scanned is not called clean


@pytest.mark.parametrize("lane", Lane)
def test_a_decoder_may_take_what_the_checks_let_through_and_is_ended_before_its_lease(lane: Lane) -> None:
    assert 3 * photo.DECODE_SECONDS_MAX[lane] <= photo.CPU_SECONDS_MAX[lane]  # encoding, and a slower machine
    assert 10 * photo.CPU_SECONDS_MAX[lane] <= work.RENDER_SECONDS_MAX[lane]  # on cores that others keep busy
    assert SECONDS_MAX + work.RENDER_SECONDS_MAX[lane] < work.LEASE_SECONDS
    assert photo.MEMORY_BYTES_MAX[lane] <= service.DATA_BYTES  # its parent's limit applies too


def test_a_light_photo_holds_its_worker_for_less_than_another_may_wait() -> None:
    assert photo.CPU_SECONDS_MAX[Lane.LIGHT] + SOON_SECONDS <= 5.0


def test_a_container_has_memory_for_all_decoders_and_its_scanner() -> None:
    made = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    limits = {name: int(each["mem_limit"].removesuffix("m")) * 2**20 for name, each in made.items()}
    assert limits["clamd"] >= photo.SCANNER_BYTES_MAX
    decoders = photo.MEMORY_BYTES_MAX[Lane.LIGHT] + photo.HEAVY_WORKERS * photo.MEMORY_BYTES_MAX[Lane.HEAVY]
    assert limits["workers"] >= decoders + 2 * 4 * photo.BYTES_MAX  # and the photos themselves, in some copies
