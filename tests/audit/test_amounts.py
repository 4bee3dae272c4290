"""Quantities are read as people write them; ambiguous or unknown ones are refused, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planning.audit import amounts
from planning.audit.flaws import UnreadableError
from planning.audit.units import kind, ratio, units_of

UNITS = units_of()


def outcome(text: str) -> UnreadableError | None:
    """What is wrong with a text, if anything; any other exception is the reader's fault."""
    try:
        amounts.read(text, UNITS)
    except UnreadableError as error:
        return error
    return None


def in_base(text: str) -> float:
    """A quantity in bits, seconds, dollars or as a number."""
    return float(amounts.read(text, UNITS).value.to_base_units().magnitude)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500 M posts/day", 500e6 / 86_400),
        ("500M posts per day", 500e6 / 86_400),
        ("10 B", 10e9),
        ("3.5 MB", 3.5e6 * 8),
        ("3.5 MB/image", 3.5e6 * 8),
        ("10 bytes", 80),
        ("200 KB", 200e3 * 8),
        ("4 GiB", 4 * 2**30 * 8),
        ("1.86 Tbps", 1.86e12),
        ("232 GB/s", 232e9 * 8),
        ("$0.02/GB", 0.02 / 8e9),
        ("$150 M/month", 150e6 / (730 * 3600)),
        ("$38,640/month", 38_640 / (730 * 3600)),
        ("$0.0004/1000 requests", 0.0004e-3),
        ("$0.4/million requests", 0.4e-6),
        ("$0.023/GB/month", 0.023 / 8e9 / (730 * 3600)),
        ("50 ms", 0.05),
        ("99.99 %", 0.9999),
        ("20 images/min", 20 / 60),
        ("5_780 images/s", 5780),
        ("100 stories/day", 100 / 86_400),
        ("1 year", 365 * 86_400),
        ("12 months", 365 * 86_400),
        ("3", 3),
        ("-5 %", -0.05),
        ("−$30 M", -30e6),
    ],
)
def test_an_amount_is_read_with_its_multiplier_and_unit(text: str, value: float) -> None:
    assert in_base(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a number with its unit"),
        ("many", "a number with its unit"),
        ("1e9 posts", "'e9 posts' is none"),
        ("3,5 MB", "',5 MB' is none"),
        ("3.5 MBB", "did you mean MB?"),
        ("500 M pots/day", "did you mean post?"),
        ("5 frobs", "can be added under counts"),
        ("$5 GB", "a / after the dollars"),
        ("5 GB/", "one unit after the /"),
        ("5 GB/0 requests", "a number above 0"),
        ("5 GB per", "is none"),
        ("5 / /", "one unit after the /"),
    ],
)
def test_what_is_no_amount_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(UnreadableError, match="expected") as caught:
        amounts.read(text, UNITS)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "half_ratio"),
    [("11.4 TB", 0.05 / 11.4), ("5,787", 0.5 / 5787), ("5,780", 5 / 5780), ("500 M", 0.005), ("9", 0.5 / 9)],
)
def test_a_figure_is_as_exact_as_the_digits_that_it_shows(text: str, half_ratio: float) -> None:
    read = amounts.read(text, UNITS)
    assert ratio(read.half, read.value) == pytest.approx(half_ratio)


def test_a_design_may_count_what_nobody_counted_before() -> None:
    assert amounts.read("7 M pins/day", units_of(("pin",))).value.to_base_units().magnitude == pytest.approx(
        7e6 / 86_400
    )
    with pytest.raises(UnreadableError):
        amounts.read("7 M pins/day", UNITS)


@pytest.mark.parametrize(
    ("text", "words"),
    [("1 GB", "bytes"), ("1 GB/s", "bytes per time"), ("$1/GB/month", "dollars per bytes per time"), ("3", "a number")],
)
def test_what_an_amount_measures_is_told_in_words(text: str, words: str) -> None:
    assert kind(amounts.read(text, UNITS).value) == words


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader_of_amounts(text: str) -> None:
    assert outcome(text) is None or str(outcome(text)).startswith("expected")
