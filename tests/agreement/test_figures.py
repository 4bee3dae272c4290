"""Formats of printed figures."""

from __future__ import annotations

import pytest

from core.stats import Estimate
from present import figures


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.26834, "268 ms"),
        (0.00213, "2.13 ms"),
        (0.02, "20.0 ms"),
        (3.2145, "3.21 s"),
        (0.99996, "1.00 s"),
        (0.0, "0 ms"),
        (None, "–"),
    ],
)
def test_durations_have_three_significant_digits_and_ms_below_a_second(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(-0.214, "−21 %"), (0.031, "+3.1 %"), (0.0, "0.0 %"), (-0.0001, "0.0 %"), (15.0, "×16"), (None, "–")],
)
def test_errors_are_always_signed_with_a_true_minus(ratio: float | None, text: str) -> None:
    assert figures.error(ratio) == text


def test_an_interval_is_no_finer_than_its_noise() -> None:
    assert figures.interval(Estimate(value=0.2124, low=0.1983, high=0.2307)) == "212 [198–231] ms"
    assert figures.interval(Estimate(value=0.2124, low=0.100, high=0.900)) == "210 [100–900] ms"


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(1840.2, "$1,840"), (3.456, "$3.46"), (0.00012, "$0.00012"), (0.0, "$0"), (123456.0, "$123,000"), (None, "–")],
)
def test_dollars_have_cents_only_where_a_cent_matters(dollars: float | None, text: str) -> None:
    assert figures.dollars(dollars) == text


def test_limits_are_printed_as_they_were_written() -> None:
    assert figures.limit_of(0.3, "seconds") == "<300 ms"
    assert figures.limit_of(5.0, "seconds") == "<5 s"
    assert figures.limit_of(0.01, "ratio") == "<1 %"
    assert figures.limit_of(0.0, "count") == "0"
