"""The price book is read strictly, and prices what was computed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from planning.cost import prices
from planning.cost.prices import GIB, PriceBook, PriceError, Quantity


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return prices.read("2026-11")


def test_the_book_is_whole_and_dated(book: PriceBook) -> None:
    assert (book.book, book.built, len(book.prices)) == ("2026-11", "2026-11-21", 47)
    for price in book.prices:
        assert price.source, price.id
        assert price.as_of, price.id
        assert price.unit.startswith("USD/"), price.id


@pytest.mark.parametrize(
    ("price_id", "amount", "unit", "dollars"),
    [
        ("vm.c7g.xlarge", 730.0, "instance-hour", 105.85),  # 730 × 0.145
        ("object.standard.put", 2_000_000, "requests", 10.0),  # 2,000 × 0.005
        ("object.standard.get", 1_000_000, "requests", 0.4),
        ("cdn.cloudfront.https", 1_000_000, "requests", 1.0),  # 100 × 0.01
        ("object.standard.storage", 100 * GIB, "B-month", 2.3),
        ("pg.aurora.io", 5_000_000, "io", 1.0),  # 5 × 0.2
        ("kv.dynamodb.write", 3e6, "WRU", 1.875),
        ("redis.memorystore.standard.m5", 105e9 * 730, "B-hour", 2299.5),  # the sum in the book's own note
        ("egress.crossaz", GIB, "B-each-direction", 0.01),
        ("cdn.cloudfront.origin_fetch", GIB, "B", 0.0),
    ],
)
def test_a_quantity_costs_what_was_computed_by_hand(
    book: PriceBook, price_id: str, amount: float, unit: str, dollars: float
) -> None:
    assert book.dollars(price_id, Quantity(amount=amount, unit=unit)) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("gib", "dollars"),
    [
        (0, 0.0),
        (10_240, 921.6),  # all in the first tier: 10,240 × 0.09
        (20_480, 1_792.0),  # 921.60 + 10,240 × 0.085
        (153_600, 11_571.2),  # 921.60 + 40,960 × 0.085 + 102,400 × 0.07 = 921.60 + 3,481.60 + 7,168
        (253_600, 16_571.2),  # and 100,000 × 0.05
    ],
)
def test_tiers_are_graduated(book: PriceBook, gib: float, dollars: float) -> None:
    assert book.dollars("egress.internet", Quantity(amount=gib * GIB, unit="B")) == pytest.approx(dollars)


def test_gib_and_gb_are_not_the_same(book: PriceBook) -> None:
    billion = Quantity(amount=1e9, unit="B")
    assert book.dollars("cdn.azure.standard.egress", billion) == pytest.approx(0.081)
    assert book.dollars("gcs.egress.worldwide", billion) == pytest.approx(0.12 * 1e9 / 2**30)


def test_a_missing_price_is_refused_never_zero(book: PriceBook) -> None:
    with pytest.raises(PriceError, match=r"2026-11 has no price vm\.x1\.huge"):
        book.dollars("vm.x1.huge", Quantity(amount=0, unit="instance-hour"))


@pytest.mark.parametrize(
    ("price_id", "unit"),
    [
        ("vm.c7g.xlarge", "vcpu-hour"),
        ("vm.c7g.xlarge", "node-hour"),
        ("object.standard.storage", "B"),
        ("egress.internet", "B-month"),
        ("object.standard.put", "B"),
    ],
)
def test_a_price_does_not_price_another_unit(book: PriceBook, price_id: str, unit: str) -> None:
    with pytest.raises(PriceError, match="cannot price"):
        book.dollars(price_id, Quantity(amount=1, unit=unit))


@pytest.mark.parametrize("amount", [-1.0, float("inf"), float("nan")])
def test_an_invalid_quantity_is_refused(amount: float) -> None:
    with pytest.raises(PriceError, match="no quantity"):
        Quantity(amount=amount, unit="B")


ROW = (
    "{id: a, unit: USD/GiB, provider: x, region: x, term: list, currency: USD, confidence: read, source: x,"
    " as_of: 2026-01-01, RATE}"
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prices: [" + ROW.replace(", RATE", "") + "]", "either a rate or tiers"),
        ("prices: [" + ROW.replace("RATE", "rate: 1, tiers: [[null, 1]]") + "]", "either a rate or tiers"),
        ("prices: [" + ROW.replace("RATE", "rate: -1") + "]", "at least 0"),
        ("prices: [" + ROW.replace("RATE", "tiers: [[5, 1], [4, 1], [null, 1]]") + "]", "rising bounds"),
        ("prices: [" + ROW.replace("RATE", "tiers: [[5, 1]]") + "]", "last one null"),
        ("prices: [" + ROW.replace("RATE", "rate: 1").replace("USD/GiB", "GiB") + "]", "expected a unit"),
        ("prices: [" + ROW.replace("RATE", "rate: 1").replace("currency: USD", "currency: EUR") + "]", "in EUR"),
        ("prices: [" + ROW.replace("RATE", "rate: cheap") + "]", "Expected `float"),
        ("prices: [" + ROW.replace("RATE", "rate: 1, ratee: 1") + "]", "ratee"),
        ("prices: [" + ", ".join([ROW.replace("RATE", "rate: 1")] * 2) + "]", "priced twice: a"),
        ("prices: [", "expected"),
        ("nothing: 1", "nothing"),
    ],
)
def test_a_wrong_book_is_refused_with_its_reason(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(f"book: b\nbuilt: 2026-01-01\n{text}\n", encoding="utf-8")
    with pytest.raises(PriceError, match=says) as raised:
        prices.read(path)
    assert "book.yaml" in str(raised.value)


def test_an_unknown_book_names_the_known_ones() -> None:
    with pytest.raises(PriceError, match=r"1999-01.*2026-11"):
        prices.read("1999-01")
