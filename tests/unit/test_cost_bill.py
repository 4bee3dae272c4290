"""Bills computed by hand, and one bill for both origins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.names import Origin, Outcome
from core.prices import CDN_BYTES_PRICE, VIEWERS
from core.run import Run, RunRecord, samples_from_rows
from planning.cost import bill as bills
from planning.cost import prices, quantities
from planning.cost.prices import GIB, SECONDS_PER_MONTH, PriceBook, PriceError
from planning.cost.quantities import BilledSizes, Quantities
from records import run as runs

SIZES = BilledSizes(
    image_bytes=50_000, original_bytes=300_000, variants_bytes=200_000, feed_bytes=45_000, answer_bytes=1_000
)
NOTHING = Quantities(
    cores={},
    per_second={},
    answered_per_second={},
    edge_miss_ratio=1.0,
    shield_miss_ratio=1.0,
    redis_memory_bytes=0.0,
    sizes=SIZES,
    people=1_000,
)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return prices.read("2026-11")


def test_cpu_is_sized_at_the_target_utilisation(book: PriceBook) -> None:
    # 1.2 busy cores / 0.6 = 2 vCPU = half a c7g.xlarge all month: 365 instance-hours × 0.145
    found = bills.bill(replace(NOTHING, cores={"feed": 1.2}), book)
    (item,) = [each for each in found.items if each.component == "feed"]
    assert (item.unit, item.price_id) == ("instance-hour", "vm.c7g.xlarge")
    assert item.quantity == pytest.approx(365.0)
    assert item.dollars_month == pytest.approx(52.925)
    assert found.total_dollars_month == pytest.approx(52.925)


def test_stores_are_priced_as_nodes_and_instances_of_one_kind_are_one_line(book: PriceBook) -> None:
    used = replace(
        NOTHING,
        cores={"postgres_0": 0.3, "postgres_1": 0.3, "kafka": 0.6, "feed-1": 0.1, "feed-2": 0.2, "redis": 0.03},
        redis_memory_bytes=1.307 * GIB,
    )
    lines = bills.bill(used, book).by_component()
    assert lines["postgres"] == pytest.approx(0.6 / 0.6 / 4 * 730 * 0.704)
    assert lines["kafka"] == pytest.approx(0.6 / 0.6 / 96 * 730 * 10.08)
    assert lines["feed"] == pytest.approx(0.3 / 0.6 / 4 * 730 * 0.145)
    # 1.307 GiB are a tenth of the node's memory, more than the twentieth of a core that it works
    assert lines["redis"] == pytest.approx(0.1 * 730 * 0.1752)


def test_redis_has_one_core_of_a_node(book: PriceBook) -> None:
    used = replace(NOTHING, cores={"redis": 0.3}, redis_memory_bytes=1.0)
    assert bills.bill(used, book).by_component()["redis"] == pytest.approx(0.5 * 730 * 0.1752)


def test_what_serves_the_test_or_is_sold_by_volume_has_no_machine(book: PriceBook) -> None:
    used = replace(NOTHING, cores={"toxiproxy": 1.0, "prometheus": 1.0, "edge": 1.0, "shield": 1.0, "objects": 1.0})
    assert bills.bill(used, book).total_dollars_month == 0.0


def test_images_are_paid_by_the_byte_and_the_request(book: PriceBook) -> None:
    rate = 10_240 * GIB / 50_000 / SECONDS_PER_MONTH  # a month of it fills the first tier
    used = replace(
        NOTHING,
        per_second={"image.read": rate},
        answered_per_second={"image.read": rate},
        edge_miss_ratio=0.1,
        shield_miss_ratio=0.5,
    )
    found = bills.bill(used, book)
    dollars = {item.price_id: item.dollars_month for item in found.items}
    reads = rate * SECONDS_PER_MONTH
    assert dollars[CDN_BYTES_PRICE + VIEWERS] == pytest.approx(10_240 * 0.085)
    assert dollars[bills.CDN_REQUESTS_PRICE] == pytest.approx(reads / 10_000 * 0.01)
    assert dollars[bills.GET_PRICE] == pytest.approx(reads * 0.05 / 1_000 * 0.0004)
    assert dollars[bills.EGRESS_PRICE] == 0.0


def test_uploads_are_stored_and_processed(book: PriceBook) -> None:
    rate = 1e6 / SECONDS_PER_MONTH
    names = ("media.create", "object.put", "media.complete", "post.create")
    used = replace(NOTHING, per_second=dict.fromkeys(names, rate), answered_per_second=dict.fromkeys(names, rate))
    dollars = {item.price_id: item.dollars_month for item in bills.bill(used, book).items}
    assert dollars[bills.STORAGE_PRICE] == pytest.approx(1e6 * 500_000 / GIB * 0.023)
    assert dollars[bills.PUT_PRICE] == pytest.approx(5e6 / 1_000 * 0.005)  # the original and four variants
    assert dollars[bills.GET_PRICE] == pytest.approx(2e6 / 1_000 * 0.0004)
    assert dollars[bills.EGRESS_PRICE] == pytest.approx(3e6 * 1_000 / GIB * 0.09)


def test_the_bill_is_given_per_million_requests_and_per_user(book: PriceBook) -> None:
    used = replace(
        NOTHING,
        cores={"api": 2.4},
        per_second={"feed.read": 2e6 / SECONDS_PER_MONTH},
        answered_per_second={"feed.read": 1e6 / SECONDS_PER_MONTH},
    )
    found = bills.bill(used, book)
    total = 730 * 0.145 + 1e6 * 45_000 / GIB * 0.09
    assert found.total_dollars_month == pytest.approx(total)
    assert found.dollars_per_million_requests == pytest.approx(total / 2)
    assert found.dollars_per_user_month == pytest.approx(total / 1_000)
    assert bills.bill(NOTHING, book).dollars_per_million_requests is None


def test_a_book_without_the_price_makes_no_bill(book: PriceBook) -> None:
    kept = tuple(price for price in book.prices if price.id != bills.GET_PRICE)
    poorer = PriceBook(book="poorer", built="2026-01-01", prices=kept)
    with pytest.raises(PriceError, match=r"poorer has no price object\.standard\.get"):
        bills.bill(NOTHING, poorer)


SCENARIO = """
scenario: billed
population: {people: 1_000, photo: {width: 1600, height: 1200}}
traffic: {warm_up: 5s, duration: 10s, rate: 10/s}
"""


def make_run(folder: Path, origin: Origin, *, facts: dict[str, float] | None = None, duration: float = 10.0) -> Run:
    rows = [
        (n, 0, "feed.read", Outcome.OK.value if n % 10 else Outcome.FAILED.value, 200, n / 10, n / 10, 0.1)
        for n in range(-50, 100)
    ]
    runs.write(
        folder,
        record=RunRecord(
            origin=origin,
            scenario="billed",
            seed=1,
            commit="0",
            warm_up_seconds=5.0,
            duration_seconds=duration,
            facts=facts or {},
        ),
        scenario_text=SCENARIO,
        samples=samples_from_rows(rows),
        usage=[("feed", second, 0.6) for second in range(-5, 10)] + [("toxiproxy", 0, 5.0)],
        caches=[("edge", 90, 10), ("shield", 0, 0)],
    )
    return runs.read(folder)


def test_a_run_is_billed_by_its_judged_time_alone(tmp_path: Path, book: PriceBook) -> None:
    used = quantities.of_run(make_run(tmp_path, Origin.MEASURED))
    assert used.cores == {"feed": pytest.approx(0.6), "toxiproxy": pytest.approx(0.5)}
    assert used.per_second == {"feed.read": pytest.approx(10.0)}
    assert used.answered_per_second == {"feed.read": pytest.approx(9.0)}
    assert (used.edge_miss_ratio, used.shield_miss_ratio, used.people) == (0.1, 1.0, 1_000)
    lines = bills.bill(used, book).by_component()
    assert lines["feed"] == pytest.approx(0.6 / 0.6 / 4 * 730 * 0.145)
    assert lines["egress"] == pytest.approx(9 * 50 * 900 * SECONDS_PER_MONTH / GIB * 0.09)


def test_simulated_and_measured_runs_are_billed_alike(tmp_path: Path, book: PriceBook) -> None:
    simulated = bills.of_run(make_run(tmp_path / "a", Origin.SIMULATED), book)
    assert simulated == bills.of_run(make_run(tmp_path / "b", Origin.MEASURED), book)
    assert any("sizes assumed" in each for each in simulated.assumptions)


def test_recorded_sizes_go_before_assumed_ones(tmp_path: Path) -> None:
    names = ("image_bytes", "original_bytes", "variants_bytes", "feed_bytes", "answer_bytes")
    recorded = {f"{name}_mean": 7.0 for name in names}
    sizes = quantities.of_run(make_run(tmp_path, Origin.MEASURED, facts=recorded)).sizes
    assert sizes == BilledSizes(image_bytes=7, original_bytes=7, variants_bytes=7, feed_bytes=7, answer_bytes=7)


def test_a_run_without_judged_time_has_no_bill(tmp_path: Path, book: PriceBook) -> None:
    with pytest.raises(ValueError, match="no rates"):
        bills.of_run(make_run(tmp_path, Origin.MEASURED, duration=0.0), book)
