"""A comparison of two runs with a known truth is correct."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from core import stats
from core.names import Origin
from core.run import Event, RunRecord, samples_from_rows
from lab.compare import NothingToCompareError, compare, drill_outcome, speed_of
from lab.terminal import render
from records import run
from records.comparison import (
    ABORTED,
    HELD,
    IN_FAULTS,
    MISSED,
    OUTSIDE_FAULTS,
    VOID,
    WHOLE,
    Comparison,
    NoComparisonError,
    OperationPair,
    read_comparison,
)
from tests.agreement import synthetic


def _of(pairs: tuple[OperationPair, ...], operation: str) -> OperationPair:
    return next(each for each in pairs if each.operation == operation)


def test_the_error_of_a_model_that_is_a_fifth_too_fast_is_minus_a_fifth(comparison: Comparison) -> None:
    feed = _of(comparison.outside_faults, "feed.read")
    for q in (0.5, 0.95, 0.99):
        found = feed.quantile(q)
        assert found is not None
        assert found.error_ratio is not None
        assert found.noise_ratio is not None
        assert abs(found.error_ratio - (-0.2)) <= found.noise_ratio
    assert feed.beyond_noise


def test_a_model_that_is_right_is_within_noise(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair")
    found = compare(tmp_path / "pair")
    feed = _of(found.outside_faults, "feed.read")
    assert feed.beyond_noise is False
    assert feed.ks is not None
    assert feed.ks < 0.05


def test_the_worst_operation_comes_first_and_those_that_cannot_be_judged_last(comparison: Comparison) -> None:
    rank = {True: 0, False: 1, None: 2}
    found = [rank[pair.beyond_noise] for _, pair in comparison.rows]
    assert found == sorted(found)
    judged = [
        max(abs(each.error_ratio) for each in pair.quantiles if each.error_ratio is not None)
        for _, pair in comparison.rows
        if pair.beyond_noise
    ]
    assert len(judged) > 1
    assert judged == sorted(judged, reverse=True)


def test_no_percentile_is_given_where_fewer_than_ten_requests_lie_beyond_it(comparison: Comparison) -> None:
    for part in (WHOLE, OUTSIDE_FAULTS, IN_FAULTS):
        pairs = comparison.part(part)
        assert any(pair.quantiles for pair in pairs), part
        for pair in pairs:
            for each in pair.quantiles:
                for side, figure in ((pair.simulated, each.simulated), (pair.measured, each.measured)):
                    assert side is not None
                    assert (figure is not None) == stats.supported(side.count, each.q)


def test_times_outside_and_inside_of_faults_add_up_to_the_whole(comparison: Comparison) -> None:
    assert comparison.operations
    for pair in comparison.operations:
        parts = [_side_count(comparison.part(part), pair.operation) for part in (OUTSIDE_FAULTS, IN_FAULTS)]
        assert pair.measured is not None
        assert sum(parts) == pair.measured.count


def _side_count(pairs: tuple[OperationPair, ...], operation: str) -> int:
    found = [each.measured.count for each in pairs if each.operation == operation and each.measured is not None]
    return sum(found)


def test_degraded_answers_and_hits_are_counted_on_both_sides(comparison: Comparison) -> None:
    feed = _of(comparison.in_faults, "feed.read")
    assert feed.simulated is not None
    assert feed.measured is not None
    # the few that began before the fault and ended in it were served whole
    assert feed.measured.degraded_ratio == pytest.approx(1.0, abs=0.05)
    timeline = next(each for each in comparison.caches if each.cache == "timeline")
    assert timeline.simulated is not None
    assert timeline.measured is not None
    assert (timeline.simulated.hit_ratio, timeline.measured.hit_ratio) == (0.9, 0.95)


def test_the_speed_is_the_ratio_of_cpu_demands_outside_of_faults(pair: Path, comparison: Comparison) -> None:
    assert comparison.speed is not None
    assert comparison.speed.ratio == pytest.approx(1.1)
    simulated, measured = run.read(pair / "simulated"), run.read(pair / "measured")
    again = speed_of(simulated, measured)
    assert again == comparison.speed
    # a model run at twice the speed factor has twice the demand: the calibrated one is the same
    doubled = dataclasses.replace(
        simulated,
        record=_at_speed(simulated.record, 2.0),
        usage=simulated.usage.set_column(2, "cpu_seconds", [2 * simulated.usage.column("cpu_seconds").to_numpy()]),
    )
    found = speed_of(doubled, measured)
    assert found is not None
    assert found.ratio == pytest.approx(1.1)


def _at_speed(record: RunRecord, speed: float) -> RunRecord:
    import msgspec

    return msgspec.structs.replace(record, speed=speed)


def test_both_sides_are_priced_from_the_same_book(comparison: Comparison) -> None:
    cost = comparison.cost
    assert cost is not None
    assert cost.prices == "2026-11"
    assert cost.month is not None
    assert cost.month.simulated is not None
    assert cost.month.measured is not None
    assert cost.month.measured == pytest.approx(sum(each.measured or 0 for each in cost.items))
    feed = next(each for each in cost.items if each.name == "feed")
    assert feed.error_ratio == pytest.approx(1 / 1.1 - 1)


def test_a_missing_price_book_is_reported_and_nothing_is_priced(tmp_path: Path) -> None:
    text = synthetic.SCENARIO.read_text(encoding="utf-8").replace("prices: 2026-11", "prices: 1999-01")
    synthetic.write_pair(tmp_path / "pair", text=text)
    cost = compare(tmp_path / "pair").cost
    assert cost is not None
    assert cost.month is None
    assert "1999-01" in cost.reason


def test_expectations_that_hold_end_with_0(comparison: Comparison) -> None:
    assert comparison.exit_code == HELD
    assert not comparison.missed
    assert "held" in comparison.sentence


def test_an_expectation_missed_by_the_measurement_ends_with_99_and_comes_first(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", measured_factor={"feed.read": 60.0})
    found = compare(tmp_path / "pair")
    assert found.exit_code == MISSED
    assert found.missed == found.verdicts[: len(found.missed)]
    worst = found.verdicts[0]
    assert worst.name.startswith("feed.read p95")
    assert worst.simulated is not None
    assert worst.simulated.held is True
    assert worst.measured is not None
    assert worst.measured.held is False


def test_errors_are_counted_by_kind_and_miss_their_limit(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", failing={"feed.read": 0.1})
    found = compare(tmp_path / "pair")
    assert found.exit_code == MISSED
    operation, outcome, status, count = found.measured.errors[0]
    assert (operation, outcome, status) == ("feed.read", "refused", 503)
    feed = _of(found.operations, "feed.read")
    assert feed.measured is not None
    assert feed.measured.errors_ratio == pytest.approx(count / feed.measured.count)


def test_a_request_that_failed_at_once_does_not_count_as_fast(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", failing={"feed.read": 0.5})
    worst = _of(compare(tmp_path / "pair").operations, "feed.read").quantile(0.95)
    assert worst is not None
    assert worst.measured is not None
    assert worst.measured.value >= 5.0


def test_a_lost_acknowledged_like_is_a_miss(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", lost=1)
    found = compare(tmp_path / "pair")
    assert found.exit_code == MISSED
    assert [each.name for each in found.missed] == ["like.add lost"]


def test_a_void_measurement_ends_with_4_and_says_why_whatever_it_shows(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair", void=["the generator lagged 12 ms"])
    found = compare(tmp_path / "pair")
    assert found.exit_code == VOID
    assert "the generator lagged 12 ms" in found.sentence


def test_an_aborted_drill_ends_with_3(tmp_path: Path) -> None:
    folder = tmp_path / "pair"
    synthetic.write_side(folder, Origin.SIMULATED)
    stop = Event(at_seconds=44.0, event="aborted", values={"reason": "errors above 50 %"})
    synthetic.write_side(folder, Origin.MEASURED, journal=[stop])
    found = compare(folder)
    assert found.exit_code == ABORTED
    assert "errors above 50 %" in found.sentence


def test_an_aborted_drill_has_one_exit_code_though_its_traffic_was_cut_short(tmp_path: Path) -> None:
    folder = tmp_path / "pair"
    synthetic.write_side(folder, Origin.SIMULATED)
    stop = Event(at_seconds=44.0, event="aborted", values={"reason": "errors above 50 %"})
    synthetic.write_side(folder, Origin.MEASURED, journal=[stop], void=["the traffic was stopped: SIGTERM"])
    found, outcome = compare(folder), drill_outcome(run.read(folder / "measured"))
    assert found.measured.void
    assert (found.exit_code, outcome.exit_code) == (ABORTED, ABORTED)
    assert found.sentence == "aborted: errors above 50 %"
    assert render(found, folder=folder).endswith("exit 3")


def test_a_drill_that_was_not_healthy_before_its_fault_ends_with_the_drills_own_verdict(tmp_path: Path) -> None:
    text = synthetic.SCENARIO.read_text(encoding="utf-8") + "drill: {hypothesis: it holds}\n"
    folder = synthetic.write_pair(tmp_path / "pair", text=text, measured_factor={"feed.read": 60.0})
    found, outcome = compare(folder), drill_outcome(run.read(folder / "measured"))
    assert outcome.exit_code == VOID
    assert "not healthy before the fault" in outcome.sentence
    assert (found.exit_code, found.sentence) == (outcome.exit_code, outcome.sentence)


def test_a_process_that_died_by_itself_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "pair"
    synthetic.write_side(folder, Origin.SIMULATED)
    died = Event(at_seconds=12.3, event="process_died", values={"process": "feed"})
    synthetic.write_side(folder, Origin.MEASURED, journal=[died])
    assert compare(folder).measured.deaths == ("feed at 12.3 s",)


def test_a_prediction_alone_is_judged_and_says_that_nothing_was_measured(tmp_path: Path) -> None:
    synthetic.write_side(tmp_path / "pair", Origin.SIMULATED)
    found = compare(tmp_path / "pair")
    assert found.exit_code == HELD
    assert "by the simulation" in found.sentence
    assert not found.measured.present
    assert all(each.measured is None for each in found.verdicts)
    assert all(each.measured is None for pair in found.operations for each in pair.quantiles)


def test_a_measurement_alone_is_judged(tmp_path: Path) -> None:
    synthetic.write_side(tmp_path / "pair", Origin.MEASURED)
    found = compare(tmp_path / "pair")
    assert found.exit_code == HELD
    assert not found.simulated.present
    assert "no simulated run" in found.sentence


def test_an_unfinished_side_is_missing_and_no_side_at_all_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "pair"
    synthetic.write_side(folder, Origin.SIMULATED)
    synthetic.write_side(folder, Origin.MEASURED)
    (folder / "measured" / run.RECORD_FILE).unlink()
    assert "not complete" in compare(folder).measured.reason
    (folder / "simulated" / run.RECORD_FILE).unlink()
    with pytest.raises(NothingToCompareError, match="simulated"):
        compare(folder)


def test_a_comparison_is_read_back_as_it_was_written_and_holds_no_nan(pair: Path, comparison: Comparison) -> None:
    assert read_comparison(pair) == comparison
    text = (pair / "comparison.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in comparison.json"))


def test_comparing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    synthetic.write_pair(tmp_path / "pair")
    compare(tmp_path / "pair")
    first = (tmp_path / "pair" / "comparison.json").read_bytes()
    compare(tmp_path / "pair")
    assert (tmp_path / "pair" / "comparison.json").read_bytes() == first


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}', "[]"])
def test_a_comparison_that_cannot_be_read_is_one_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "comparison.json").write_text(content, encoding="utf-8")
    with pytest.raises(NoComparisonError):
        read_comparison(tmp_path)


def test_the_speed_matched_simulation_is_compared_beside_the_one_ahead(tmp_path: Path) -> None:
    folder = tmp_path / "pair"
    synthetic.write_pair(folder, factor={"feed.read": 0.8})
    synthetic.write_side(tmp_path / "other", Origin.SIMULATED, speed=1.1)
    (tmp_path / "other" / "simulated").rename(folder / "simulated_matched")
    found = compare(folder)
    error = _of(found.matched, "feed.read").quantile(0.5)
    assert error is not None
    assert error.error_ratio is not None
    assert error.noise_ratio is not None
    assert abs(error.error_ratio) <= error.noise_ratio


def test_the_noise_covers_the_error_of_two_samples_of_one_thing_nineteen_times_of_twenty() -> None:
    from lab.agreement import pairs

    random = np.random.default_rng(5)
    outside = 0
    for _ in range(300):
        sides = []
        for _ in range(2):
            rows = [
                (n, 0, "feed.read", "ok", 200, n * 0.01, n * 0.01, t) for n, t in enumerate(random.lognormal(size=400))
            ]
            sides.append(samples_from_rows(rows))
        median = pairs(sides[0], sides[1], seconds=4.0)[0].quantile(0.5)
        assert median is not None
        outside += bool(median.beyond_noise)
    assert outside <= 300 * 0.09  # 5 % expected, its own noise added
