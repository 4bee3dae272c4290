"""What a comparison prints: lines of at most 80 columns, misses first, plain text when stdout is no terminal."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from core.names import Origin
from lab.compare import compare
from lab.terminal import render
from present import figures
from present.tables import WIDTH
from records.comparison import Comparison
from tests.agreement import synthetic


def test_every_line_fits_80_columns_and_none_is_cut(comparison: Comparison) -> None:
    for show_all in (False, True):
        text = click.unstyle(render(comparison, folder=Path("runs/20261121-074812"), show_all=show_all))
        assert max(len(line) for line in text.splitlines()) <= WIDTH
        assert "…" not in text.replace("  … ", "")


def test_missed_expectations_come_first_with_how_far_they_are_missed(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", measured_factor={"feed.read": 60.0})
    lines = click.unstyle(render(compare(tmp_path / "pair"))).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("EXPECTATIONS"))
    assert lines[1].startswith("✗ ")
    assert lines[head + 1].startswith("✗ feed.read p95")
    assert "missed +" in lines[head + 1]
    assert "    not recovered by the end" in lines
    assert lines[-1].endswith("exit 99")


def test_operations_within_noise_are_counted_and_shown_on_request(comparison: Comparison) -> None:
    short, whole = (click.unstyle(render(comparison, show_all=each)) for each in (False, True))
    assert "! feed.read" in short
    assert "within noise (--all)" in short
    assert "search.users" not in short
    assert "search.users" in whole


def test_fault_cost_hits_and_validity_each_have_their_line(comparison: Comparison) -> None:
    lines = click.unstyle(render(comparison)).splitlines()
    begins = {line.split(" ", 1)[0] for line in lines if line}
    assert {"FAULT", "COST", "HITS", "VALID", "SPEED"} <= begins


def test_a_void_run_says_so_and_why(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", void=["the host stalled 9 % of the time"])
    text = click.unstyle(render(compare(tmp_path / "pair")))
    assert "void, not judged: the host stalled 9 % of the time" in text
    assert "\nVOID " in text
    assert text.endswith("exit 4")


def test_a_prediction_alone_is_printed_without_a_measured_figure(tmp_path: Path) -> None:
    synthetic.write_side(tmp_path / "pair", Origin.SIMULATED)
    text = click.unstyle(render(compare(tmp_path / "pair")))
    assert "AGREEMENT" not in text
    assert "no measured run" in text


def test_findings_of_the_model_are_printed(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", facts=synthetic.FACTS)
    text = " ".join(click.unstyle(render(compare(tmp_path / "pair"))).split())
    assert "NOTE assumed, because not measured: feed.read: its fallback path was not calibrated" in text
    assert "BUSY busiest at the peak, as predicted: host stack 61.0 %, process feed 40.0 %" in text
    assert "OPENED breakers that opened: feed.timeline 3 ×" in text
    assert "fanout.deliver 0.800 ms on average, 20.0 ms at most, fanout.deliver 2 left at the end" in text
    assert "feed.hydrate" not in text


def test_a_run_without_findings_has_no_line_for_them(comparison: Comparison) -> None:
    text = click.unstyle(render(comparison))
    assert "\nBUSY" not in text
    assert "\nLAG" not in text


def test_a_resource_that_is_nearly_full_is_warned_of(tmp_path: Path) -> None:
    facts = {**synthetic.FACTS, "busiest": {"host stack": 0.93, "process feed": 0.4}}
    synthetic.write_pair(tmp_path / "pair", facts=facts)
    text = " ".join(click.unstyle(render(compare(tmp_path / "pair"))).split())
    assert "WARN where the model's errors grow: host stack more than 80 % busy at the peak" in text


def test_refusals_are_told_apart_from_other_errors(comparison: Comparison) -> None:
    pair = comparison.operations[0]
    sides = {
        "simulated": msgspec.structs.replace(pair.simulated, errors_ratio=0.05, refused_ratio=0.04),
        "measured": msgspec.structs.replace(pair.measured, errors_ratio=0.02, refused_ratio=0.0),
    }
    broken = msgspec.structs.replace(comparison, operations=(msgspec.structs.replace(pair, **sides),))
    text = " ".join(click.unstyle(render(broken)).split())
    whole, refused, real = (figures.share(ratio) for ratio in (0.05, 0.04, 0.02))
    assert f"{pair.operation} {whole} ({refused} refused) simulated, {real} measured" in text
