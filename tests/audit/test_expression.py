"""Formulas: bounded arithmetic with units; anything else is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planning.audit import amounts, expression
from planning.audit.flaws import UnreadableError
from planning.audit.units import units_of

UNITS = units_of()
TEXTS = {"posts": "500 M/day", "size": "2 MB", "price": "$0.02/GB", "hit": "90 %", "none": "0 MB"}
VALUES = {**UNITS.times(), **{name: amounts.read(text, UNITS).value for name, text in TEXTS.items()}}


def value(text: str) -> float:
    """The value of a formula, in bits, seconds and dollars."""
    return float(expression.evaluate(expression.parse(text), VALUES, UNITS).to_base_units().magnitude)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 - 2 - 1", 4),
        ("8 / 2 / 2", 2),
        ("2 × 3 − 4 ÷ 2", 4),
        ("-2 * -3", 6),
        ("1 - hit", 0.1),
        ("posts * size", 500e6 * 16e6 / 86_400),
        ("posts * size * day", 500e6 * 16e6),
        ("posts * size * price * month", 500e6 * 16e6 / 86_400 * 0.02 / 8e9 * 730 * 3600),
        ("max(size, 3 * size, 2 * size) / size", 3),
        ("min(month, year) / day", 365 / 12),
        ("posts", 500e6 / 86_400),
    ],
)
def test_a_formula_is_computed_with_units(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "", "posts +", "(posts", "posts size", "2 ** 9", "posts ** 2", "posts % 2", "posts // 2", "~2", "not 2",
        "posts < 2", "posts if 1 else 2", "lambda: 1", "[posts]", "posts.real", "posts[0]", "'a'", "True", "1j",
        "open(posts)", "max()", "max(*posts)", "min(posts, key=size)", "__import__('os')", "posts := 2", "1e99",
        "posts; size", "posts\nsize", "f'{posts}'", "(" * 250, "-" * 299 + "x" * 9, "1" * 301, "\x00", "yield",
        "await posts",
    ],
)  # fmt: skip
def test_what_is_more_than_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="expected"):
        expression.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("posts + size", "one kind, these are a number per time and bytes"),
        ("size - 1", "one kind, these are bytes and a number"),
        ("max(size, price)", "one kind, these are bytes and dollars per bytes"),
        ("posts / none", "no division by zero"),
        ("size / (hit - hit)", "no division by zero"),
    ],
)
def test_quantities_that_do_not_fit_together_are_told_by_what_they_are(text: str, expected: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        value(text)
    assert expected in str(caught.value)


def test_the_longest_formula_is_read_and_taken_apart() -> None:
    text = "+".join(["size"] * 60)
    assert len(text) <= expression.LENGTH_MAX
    assert value(text) == pytest.approx(60 * 16e6)
    assert len(list(expression.variants(expression.parse(text)))) == 2 * 59


TERMS = st.recursive(
    st.sampled_from(["a", "b", "day"]).map(expression.Name) | st.integers(1, 99).map(float).map(expression.NumberTerm),
    lambda inner: (
        st.builds(expression.Binary, st.sampled_from(["+", "-", "*", "/"]), inner, inner)
        | st.builds(expression.Extreme, st.sampled_from(["min", "max"]), st.tuples(inner, inner))
    ),
    max_leaves=8,
)


@given(TERMS)
def test_what_is_written_of_a_formula_means_the_same(term: expression.Term) -> None:
    values = {"a": UNITS.number(3), "b": UNITS.number(7), "day": UNITS.number(11)}

    def outcome(of: expression.Term) -> float | str:
        try:
            return pytest.approx(expression.evaluate(of, values, UNITS).magnitude)
        except UnreadableError as error:
            return str(error)

    assert outcome(expression.parse(expression.written(term))) == outcome(term)


@given(st.text(alphabet="ab1 +-*/().,'[]{}:=<>%_\n", max_size=40))
def test_no_text_breaks_the_reader_of_formulas(text: str) -> None:
    try:
        wrong = ""
        expression.parse(text)
    except UnreadableError as error:
        wrong = str(error)
    assert not wrong or wrong.startswith("expected")
