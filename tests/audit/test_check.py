"""Every figure is computed twice, to distinguish a mistake from figures that only inherit it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scenario.design import Design, StatedFigure
from planning.audit import AuditVerdict, DesignError, Finding, audit
from planning.audit.units import ratio
from tests.audit.designs import design, found, stated

INPUTS = {"images": "400 M images/day", "size": "3.5 MB/image", "peak": "3", "price": "$0.02/GB"}


def by_name(read: Design) -> dict[str, Finding]:
    """The findings of a design by the figures' names."""
    return {finding.name: finding for finding in audit(read)}


def test_a_design_that_adds_up_gives_no_finding() -> None:
    findings = audit(
        design(
            INPUTS,
            storage_day=stated("1.4 PB/day", "images * size"),
            storage_year=stated("511 PB/year", "storage_day"),
            rate=stated("4,630 images/s", "images"),
            rate_at_peak=stated("13,889 images/s", "rate * peak"),
            bill=stated("$852 K/month", "storage_day * price"),
        )
    )
    assert {finding.verdict for finding in findings} == {AuditVerdict.AGREES}
    assert not any(finding.conjecture or finding.follows_from for finding in findings)


@given(st.floats(1, 9e5), st.floats(1, 9e5), st.integers(1, 9), st.integers(3, 6))
def test_whatever_a_design_rounds_correctly_agrees(posts: float, size: float, peak: int, digits: int) -> None:
    inputs = {"posts": f"{posts:.3f} posts/s", "size": f"{size:.3f} kB", "peak": str(peak)}
    exact = float(f"{posts:.3f}") * float(f"{size:.3f}") * peak
    value = f"{float(f'{exact:.{digits - 1}e}'):.3f} kB/s"
    assert found(inputs, value, "posts * size * peak").verdict is AuditVerdict.AGREES


@pytest.mark.parametrize(
    ("value", "verdict", "reason"),
    [
        ("1.4 PB/day", AuditVerdict.AGREES, "to the digits it shows"),
        ("1,400 TB/day", AuditVerdict.AGREES, "to the digits it shows"),
        ("1.36 PB/day", AuditVerdict.AGREES, "within 5 %"),
        ("1.46 PB/day", AuditVerdict.AGREES, "within 5 %"),
        ("1.32 PB/day", AuditVerdict.DIFFERS, "no known slip explains it"),
        ("1.48 PB/day", AuditVerdict.DIFFERS, "no known slip explains it"),
        ("42.6 PB/month", AuditVerdict.AGREES, "to the digits it shows"),
        ("130 Gbps", AuditVerdict.AGREES, "to the digits it shows"),
    ],
)
def test_a_figure_agrees_by_its_digits_or_within_five_per_cent(value: str, verdict: AuditVerdict, reason: str) -> None:
    finding = found(INPUTS, value, "images * size")
    assert (finding.verdict, finding.reason) == (verdict, reason)


def test_what_follows_from_a_mistake_is_told_apart_from_the_mistake() -> None:
    findings = by_name(
        design(
            INPUTS,
            storage_day=stated("1.4 TB/day", "images * size"),
            storage_year=stated("511 TB/year", "storage_day"),
            bill=stated("$852/month", "storage_day * price"),
        )
    )
    assert findings["storage_day"].own_slip
    for name in ("storage_year", "bill"):
        carried = findings[name]
        assert (carried.verdict, carried.own_slip) == (AuditVerdict.DIFFERS, False)
        assert carried.follows_from == ("storage_day",)
        assert carried.off_ratio == pytest.approx(1e-3, rel=1e-3)
        assert carried.own_off_ratio == pytest.approx(1, rel=1e-3)


def test_a_figure_that_is_wrong_twice_is_told_by_how_much_each_time() -> None:
    inputs = {"reads": "500 B reads/day", "list_price": "$0.0004/1000 reads"}
    findings = by_name(
        design(
            inputs,
            price=stated("$0.0004/read", "list_price"),
            bill=stated("$200 M/month", "reads * price"),
        )
    )
    bill = findings["bill"]
    assert bill.own_slip
    assert bill.follows_from == ("price",)
    assert bill.conjecture == "per day taken for per month"
    assert bill.own_off_ratio == pytest.approx(12 / 365)
    assert bill.off_ratio == pytest.approx(1000 * 12 / 365)


def test_a_mistake_is_carried_through_a_figure_that_nobody_stated() -> None:
    findings = by_name(
        design(
            INPUTS,
            storage_day=stated("1.4 TB/day", "images * size"),
            storage_year=StatedFigure(unit="PB/year", formula="storage_day"),
            bill=stated("$852/month", "storage_year * price"),
        )
    )
    unstated = findings["storage_year"]
    assert (unstated.verdict, unstated.reason) == (AuditVerdict.UNCHECKED, "the design states no figure")
    assert unstated.off_ratio is None
    assert findings["bill"].follows_from == ("storage_day",)
    assert not findings["bill"].own_slip


def test_what_agrees_is_carried_on_as_its_authors_rounded_it() -> None:
    inputs = {"views": "5 B views/day"}
    findings = by_name(
        design(inputs, rate=stated("58 K views/s", "views"), thousand=stated("58 M views/s", "rate * 1000"))
    )
    recomputed = findings["thousand"].recomputed
    assert recomputed is not None
    assert ratio(recomputed, recomputed / recomputed.magnitude) == pytest.approx(58e6)


def test_a_capacity_must_be_enough_and_may_be_more() -> None:
    inputs = {"images": "4,000 images/s", "rate": "20 images/min"}
    needed = 4000 / (20 / 60)
    for workers, verdict, reason in (
        (500, AuditVerdict.DIFFERS, "not enough"),
        (needed, AuditVerdict.AGREES, "to the digits it shows"),
        (90_000, AuditVerdict.AGREES, "more than enough"),
    ):
        findings = by_name(
            design(
                inputs,
                workers=stated(f"{workers:.0f} workers", "images / rate", covers=True),
                capacity=stated(f"{workers * 20:.0f} images/min", "workers * rate"),
            )
        )
        assert (findings["workers"].verdict, findings["workers"].reason) == (verdict, reason)
        # what the chosen workers process follows from their number, not from what would be needed
        assert findings["capacity"].verdict is AuditVerdict.AGREES


def test_a_figure_of_another_kind_is_told_by_both_kinds() -> None:
    finding = found(INPUTS, "1.4 PB", "images * size")
    assert (finding.verdict, finding.own_slip, finding.off_ratio) == (AuditVerdict.DIFFERS, True, None)
    assert finding.reason == "it is stated as bytes, its terms give bytes per time"


def test_a_figure_of_the_opposite_sign_differs() -> None:
    finding = found({"saved": "6 MB", "spent": "152 MB"}, "30 MB", "saved - spent")
    assert finding.verdict is AuditVerdict.DIFFERS
    assert finding.off_ratio == pytest.approx(-30 / 146)


def test_a_figure_without_a_formula_says_why_it_cannot_be_checked() -> None:
    findings = by_name(
        design(
            {}, bill=StatedFigure(value="$18,000/month"), rate=StatedFigure(value="145 K/s", because="no profile views")
        )
    )
    assert {finding.verdict for finding in findings.values()} == {AuditVerdict.UNCHECKED}
    assert findings["bill"].reason == "the design does not say what it follows from"
    assert findings["rate"].reason == "no profile views"


def test_what_is_assumed_is_told_of_all_that_rests_on_it() -> None:
    read = Design(
        title="x",
        inputs={"reads": "1 M/day"},
        assumed={"price": "$0.0004/1000 reads"},
        stated={"bill": stated("$12/month", "reads * price"), "twice": stated("$24/month", "bill * 2")},
    )
    assert [finding.assumed for finding in audit(read)] == [("price",), ("price",)]


@pytest.mark.parametrize(
    ("read", "path", "expected"),
    [
        (design({"size": "3.5 MBB"}), "design.inputs.size", "did you mean MB?"),
        (design({"day": "1 h"}), "design.inputs.day", "this one is taken"),
        (design({"max": "1 h"}), "design.inputs.max", "this one is taken"),
        (design({"x": "1"}, x=stated("1", "2")), "design.stated.x", "a name that stands once"),
        (Design(title="x", inputs={"x": "1"}, assumed={"x": "1"}), "design.assumed.x", "a name that stands once"),
        (design({"x": "1"}, y=stated("1 frob", "x")), "design.stated.y.value", "'frob' is none"),
        (design({"posts": "1"}, y=stated("1", "pots")), "design.stated.y.from", "pots is none; did you mean posts?"),
        (design({"x": "1"}, y=stated("1", "x ** 2")), "design.stated.y.from", "found x ** 2"),
        (design({"x": "1", "y": "1 MB"}, z=stated("1", "x + y")), "design.stated.z.from", "a number and bytes"),
        (design({"x": "0"}, y=stated("1", "1 / x")), "design.stated.y.from", "no division by zero"),
        (design({}, x=stated("1", "y"), y=stated("1", "x")), "design.stated.x.from", "no circle: x → y → x"),
        (design({}, x=stated("1", "x")), "design.stated.x.from", "no circle: x → x"),
        (design({}, x=StatedFigure(formula="2")), "design.stated.x", "a value as published, or from and unit"),
        (design({}, x=StatedFigure(unit="MB")), "design.stated.x", "a value as published, or from and unit"),
        (
            design({"x": "1"}, y=StatedFigure(unit="MB", formula="x")),
            "design.stated.y.from",
            "expected bytes as its unit",
        ),
        (design({"x": "9" * 70}, y=stated("1", "*".join("x" * 50))), "design.stated.y.from", "a finite number"),
    ],
)
def test_a_design_that_cannot_be_read_is_told_with_place_and_expectation(
    read: Design, path: str, expected: str
) -> None:
    with pytest.raises(DesignError) as caught:
        audit(read)
    flaw = caught.value.flaws[0]
    assert ".".join(map(str, flaw.path)) == path
    assert expected in flaw.expected


def test_everything_wrong_with_a_design_is_told_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        audit(design({"x": "1 frob", "y": "2 frobs"}, z=stated("3 frobs", "q + r")))
    assert [flaw.path[-1] for flaw in caught.value.flaws] == ["x", "y", "from", "from", "value"]


def test_a_long_chain_of_figures_that_each_rest_on_the_last_one_twice_takes_no_time() -> None:
    figures = {
        f"f{n}": stated(f"{2**n if n < 40 else 2**40}", f"f{n - 1} + f{n - 1}" if n else "1") for n in range(100)
    }
    findings = audit(design({}, **figures))
    assert [finding.verdict for finding in findings[:40]] == [AuditVerdict.AGREES] * 40
    assert findings[-1].follows_from
