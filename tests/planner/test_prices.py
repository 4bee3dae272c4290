"""Prices age, and a user's book takes precedence over the one that it extends: by hand, with invented rates."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from planning.cost import age, prices
from planning.cost.bill import Bill, BillItem
from planning.cost.growth import GrowsWith
from planning.cost.prices import Price, PriceBook, PriceError
from planning.plan import answer as plan
from planning.plan.certainty.uncertainty import PRICE_AGE
from tests.planner import made

TODAY = date(2026, 7, 1)


def price(name: str, as_of: str) -> Price:
    return Price(
        id=name,
        unit="USD/GiB",
        provider="made",
        region="made",
        term="list",
        currency="USD",
        confidence="made",
        source="made up",
        as_of=as_of,
        rate=1.0,
    )


def bill(**dollars: float) -> Bill:
    items = tuple(
        BillItem(
            component=name, quantity=each, unit="B", price_id=name, dollars_month=each, grows_with=(GrowsWith.RATE,)
        )
        for name, each in dollars.items()
    )
    return Bill(prices="made", items=items, requests_month=1.0, people=1)


def book(*known: Price, moves: float = 0.1) -> PriceBook:
    return PriceBook(book="made", built="2026-07-01", prices=known, moves_year_ratio=moves)


def test_a_price_may_have_moved_by_the_books_ratio_in_every_year_of_its_age() -> None:
    known = book(price("fresh", "2026-07-01"), price("old", "2024-07-01"))
    found = age.age_of(bill(fresh=100.0, old=100.0), known, TODAY)
    years = 730 / 365.25
    assert found.high_dollars_month == pytest.approx(100 + 100 * 1.1**years)
    assert found.low_dollars_month == pytest.approx(100 + 100 / 1.1**years)
    assert (found.oldest, found.newest) == ("2024-07-01", "2026-07-01")
    assert found.mean_years == pytest.approx(years / 2)


def test_a_book_that_says_that_prices_stay_has_no_error_bar() -> None:
    found = age.age_of(bill(old=100.0), book(price("old", "2024-07-01"), moves=0.0), TODAY)
    assert (found.low_dollars_month, found.high_dollars_month) == (100.0, 100.0)


def test_a_price_without_a_date_is_as_old_as_the_oldest_and_is_named() -> None:
    known = book(price("old", "2024-07"), price("when", "undated"), price("packed", "2026-06 package"))
    found = age.age_of(bill(when=100.0), known, TODAY)
    assert found.high_dollars_month == pytest.approx(100 * 1.1 ** (730 / 365.25))
    assert found.undated == ("when",)
    assert age.years(known.price("packed"), known, TODAY) == pytest.approx(30 / 365.25)


def test_prices_of_tomorrow_have_no_age() -> None:
    known = book(price("next", "2027-01-01"))
    assert age.years(known.price("next"), known, TODAY) == 0.0


def test_the_bar_is_beside_the_inputs_uncertainty_and_not_in_it() -> None:
    scenario = made.scenario(intent={"ranges": {"prices": [0.9, 1, 1.2]}})
    of_day = {
        day: plan.make(scenario, made.profile(), made.book(), today=day, more=False)
        for day in (date(2026, 11, 21), date(2028, 11, 21))
    }
    new, old = of_day.values()
    assert old.aged.high_dollars_month > new.aged.high_dollars_month > new.bill.total_dollars_month
    assert old.aged.low_dollars_month < new.aged.low_dollars_month < new.bill.total_dollars_month
    for found in (new, old):
        assert found.uncertainty is not None
        (of_bill,) = (each for each in found.uncertainty.outputs if each.name == "bill")
        bars = {bar.name: bar for bar in of_bill.tornado}
        assert set(bars) == {"prices", PRICE_AGE}
        wide = found.aged.high_dollars_month / found.bill.total_dollars_month
        assert bars[PRICE_AGE].high == pytest.approx(wide * of_bill.middle)
        assert [index.name for index in of_bill.sobol] == ["prices"]
    assert new.uncertainty is not None
    assert old.uncertainty is not None
    assert new.uncertainty.outputs[0].quantiles == old.uncertainty.outputs[0].quantiles


# A book of one's own

OWN = """
book: mine
built: 2026-12-01
extends: 2026-11
prices:
  - {id: vm.c7g.xlarge@spot, rate: 0.05, as_of: 2026-12-01, source: "made up"}
  - {id: cdn.cloudfront.https, rate: 0.004, as_of: 2026-12-01, source: "made up, as if negotiated"}
"""


def written(folder: Path, text: str = OWN, name: str = "mine.yaml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_book_beside_the_scenario_extends_a_shipped_one(tmp_path: Path) -> None:
    found = prices.read("mine.yaml", beside=written(tmp_path))
    spot = found.at_term("vm.c7g.xlarge", "spot")
    assert (spot.rate, spot.term, spot.vcpu, spot.confidence) == (0.05, "spot", 4, "stated")
    assert spot.as_of == "2026-12-01"
    assert found.price("cdn.cloudfront.https").rate == 0.004  # goes before the other's
    shipped = made.book()
    assert found.price("egress.internet") == shipped.price("egress.internet")
    assert len(found.prices) == len(shipped.prices) + 1
    assert found.moves_year_ratio == shipped.moves_year_ratio


@pytest.mark.parametrize("name", ["as_of", "source"])
def test_a_price_of_ones_own_has_a_date_and_a_source(tmp_path: Path, name: str) -> None:
    lines = OWN.replace("as_of: 2026-12-01, ", "") if name == "as_of" else OWN.replace(', source: "made up"}', "}")
    with pytest.raises(PriceError, match=rf"vm\.c7g\.xlarge@spot does not say its {name}"):
        prices.read("mine.yaml", beside=written(tmp_path, lines))


def test_a_price_that_states_no_rate_does_not_take_the_other_terms(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="expected either a rate or tiers"):
        prices.read("mine.yaml", beside=written(tmp_path, OWN.replace("rate: 0.05, ", "")))


def test_a_book_that_extends_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="extends itself"):
        prices.read("mine.yaml", beside=written(tmp_path, OWN.replace("2026-11\n", "mine.yaml\n")))


def test_a_book_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"there is no price book .*mine\.yaml; there are 2026-11"):
        prices.read("mine.yaml", beside=tmp_path)


@pytest.mark.parametrize("day", ["20 Nov", "2026-13-01", "2026-02-30", "11/20/2026", "2026"])
def test_a_date_is_an_iso_date(tmp_path: Path, day: str) -> None:
    text = OWN.replace("rate: 0.05, as_of: 2026-12-01", f'rate: 0.05, as_of: "{day}"')
    with pytest.raises(PriceError, match=rf"vm\.c7g\.xlarge@spot: as_of: expected an ISO date .* found '{day}'"):
        prices.read("mine.yaml", beside=written(tmp_path, text))


def test_a_machine_for_nothing_is_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"vm\.c7g\.xlarge@spot: a machine needs a rate above 0"):
        prices.read("mine.yaml", beside=written(tmp_path, OWN.replace("rate: 0.05", "rate: 0")))
