"""The mistake that a wrong figure looks like: a planted one is found; for a random factor none is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planning.audit import AuditVerdict
from tests.audit.designs import found

#: Factor that a slip puts a figure of bytes a second off by → what is said of it.
OF_BYTES = {
    1e-3: "TB/s written for PB/s",
    1e3: "TB/s written for GB/s",
    1e-6: "TB/s written for EB/s",
    8: "bits taken for bytes",
    1 / 8: "bytes taken for bits",
    2**30 / 1e9: "GiB taken for GB",
    1e12 / 2**40: "TB taken for TiB",
    60: "per minute taken for per second",
    1 / 3600: "per second taken for per hour",
    86_400: "per day taken for per second",
    1 / 30: "per day taken for per month",
    12 / 365: "per day taken for per month",
    365: "per year taken for per day",
    24: "per day taken for per hour",
    1000 * 12 / 365: "per day taken for per month, and TB/s written for GB/s",
}
OF_MONEY = {
    1000: "per thousand taken for per one",
    1 / 1000: "per one taken for per thousand",
    1000 * 12 / 365: "per day taken for per month, and per thousand taken for per one",
}


@given(st.sampled_from(sorted(OF_BYTES.items())), st.floats(1, 9_999))
def test_a_mistaken_unit_of_bytes_is_found(slip: tuple[float, str], size: float) -> None:
    factor, says = slip
    inputs = {"posts": "1 M posts/s", "size": f"{size:.6f} MB"}
    finding = found(inputs, f"{float(f'{size:.6f}') * factor:.12f} TB/s", "posts * size")
    assert finding.verdict is AuditVerdict.DIFFERS
    assert finding.conjecture == says.replace("/s", "")
    assert finding.off_ratio == pytest.approx(factor, rel=1e-6)


@given(st.sampled_from(sorted(OF_MONEY.items())), st.floats(1, 9_999))
def test_a_mistaken_unit_of_money_is_found(slip: tuple[float, str], price: float) -> None:
    factor, says = slip
    inputs = {"reads": "1 M reads/month", "price": f"${price:.6f}/M reads"}
    finding = found(inputs, f"${float(f'{price:.6f}') * factor:.12f}/month", "reads * price")
    assert (finding.verdict, finding.conjecture) == (AuditVerdict.DIFFERS, says)


@given(st.integers(2, 90), st.integers(2, 90), st.floats(1, 9_999))
def test_a_factor_or_a_term_that_is_left_out_is_found(peak: int, copies: int, posts: float) -> None:
    rate = float(f"{posts:.4f}")
    inputs = {
        "posts": f"{rate:.4f} posts/s",
        "stories": f"{rate * 0.3:.6f}/s",
        "peak": str(peak),
        "copies": str(copies),
    }
    formula = "(posts + stories) * peak * copies"
    for stated, says in (
        (rate * 1.3 * copies, "the mean taken for the peak: the factor peak left out"),
        (rate * peak * copies, "the term stories left out"),
    ):
        finding = found(inputs, f"{stated:.6f} posts/s", formula)
        assert finding.verdict is AuditVerdict.DIFFERS
        if peak != copies:  # else which of the two was left out cannot be told
            assert finding.conjecture == says


@pytest.mark.parametrize(
    ("inputs", "value", "formula", "says"),
    [
        (
            {"edge": "90 %", "shield": "95 %"},
            "5 %",
            "(1 - edge) * (1 - shield)",
            "tiers in series taken for one: the factor (1 - edge) left out",
        ),
        ({"size": "4 TB", "copies": "3"}, "4 TB", "size * copies", "the factor copies left out"),
        ({"size": "4 TB", "copies": "3"}, "12 TB", "size", "the factor copies too much"),
        ({"a": "15 ms", "b": "30 ms", "c": "50 ms"}, "95 ms", "max(a, b, c)", "added up instead of max"),
        ({"posts": "5,780/s", "images": "4,630/s"}, "5,780 images/s", "images", "posts taken for it"),
        (
            {"views": "5 B/day", "photos": "20", "size": "200 KB"},
            "1,000 TB/month",
            "views * photos * size",
            "the factor photos left out, and per day taken for per month",
        ),
        ({"likes": "1 M", "time": "10 min"}, "100 K/s", "likes / time", "per minute taken for per second"),
        ({"posts": "20 K/s"}, "20 M/s", "posts", "a thousand times too much: K, M or B mistaken"),
    ],
)
def test_the_slips_of_published_designs_are_named(inputs: dict[str, str], value: str, formula: str, says: str) -> None:
    finding = found(inputs, value, formula)
    assert finding.verdict is AuditVerdict.DIFFERS
    assert finding.conjecture == says
    assert finding.reason == f"looks like: {says}"


@pytest.mark.parametrize("factor", [1.31, 1.7, 2.7, 4.6, 17.0, 123.0, 0.71, 0.21])
def test_of_a_factor_that_no_slip_has_nothing_is_said(factor: float) -> None:
    finding = found({"posts": "1 M posts/s", "size": "2 MB"}, f"{2 * factor:.6f} TB/s", "posts * size")
    assert (finding.verdict, finding.conjecture) == (AuditVerdict.DIFFERS, "")
    assert finding.reason == "no known slip explains it"
