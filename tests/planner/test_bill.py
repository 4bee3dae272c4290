"""A fleet's bill, line by line by hand, and known mistakes of planning bills."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.scenario import ScenarioError
from planning.cost import fleet
from planning.cost.bill import Bill
from planning.cost.fleet import Disks, Machines, Month, RegionTraffic
from planning.cost.growth import GrowsWith
from planning.cost.prices import GB, GIB, SECONDS_PER_MONTH, PriceBook, PriceError
from planning.plan.sizing import spending
from planning.plan.sizing.spending import Spending
from tests.planner import made

SILENT = RegionTraffic(
    geography="us+ca+mx",
    images_per_second=0.0,
    image_bytes_per_second=0.0,
    origin_bytes_per_second=0.0,
    gets_per_second=0.0,
    puts_per_second=0.0,
    stored_bytes=0.0,
    answers_bytes_per_second=0.0,
    zones_bytes_per_second=0.0,
    regions_bytes_per_second=0.0,
    requests_per_second=1.0,
)


def billed(
    book: PriceBook, *traffic: RegionTraffic, machines: Any = (), disks: Any = (), term: str = "on_demand"
) -> Bill:
    paid = tuple(replace(each, term=term) for each in machines)
    month = Month(machines=paid, disks=tuple(disks), traffic=traffic or (SILENT,), people=100)
    return fleet.bill(month, book)


def dollars(bill: Bill, price_id: str) -> float:
    return sum(item.dollars_month for item in bill.items if item.price_id == price_id)


def a_second(bytes_a_month: float) -> float:
    return bytes_a_month / SECONDS_PER_MONTH


def test_machines_are_paid_by_the_hour_of_a_month_of_730(book: PriceBook) -> None:
    found = billed(book, machines=[Machines(component="feed", price_id="vm.c7g.xlarge", unit="instance-hour", count=3)])
    assert dollars(found, "vm.c7g.xlarge") == pytest.approx(3 * 730 * 0.145)


def test_disks_are_paid_by_size_and_by_the_operations_beyond_the_free_ones(book: PriceBook) -> None:
    disk = Disks(
        component="postgres",
        price_id=fleet.DISK_PRICE,
        bytes_provisioned=100 * GIB,
        grows_with=(GrowsWith.ROWS,),
        iops=2_000,
    )
    found = billed(book, disks=[disk])
    assert dollars(found, "block.gp3.storage") == pytest.approx(8.0)
    assert dollars(found, "block.gp3.iops") == pytest.approx(10.0)


def test_a_region_that_is_lost_and_one_that_stays_share_an_accounts_tiers(book: PriceBook) -> None:
    # two regions of 10,240 GiB each a month fill two tiers together, not the first one twice
    one = replace(SILENT, answers_bytes_per_second=a_second(10_240 * GIB))
    assert dollars(billed(book, one, one), "egress.internet") == pytest.approx(10_240 * 0.09 + 10_240 * 0.085)


def test_the_cdns_tiers_are_of_each_viewer_geography(book: PriceBook) -> None:
    us = replace(SILENT, image_bytes_per_second=a_second(10_240 * GIB))
    eu = replace(us, geography="eu+il")
    found = billed(book, us, eu)
    assert dollars(found, "cdn.cloudfront.egress.us+ca+mx") == pytest.approx(10_240 * 0.085)
    assert dollars(found, "cdn.cloudfront.egress.eu+il") == pytest.approx(10_240 * 0.085)


# The traps


def test_a_years_bytes_are_never_put_into_a_months_tiers(book: PriceBook) -> None:
    """A trap: 45 k instead of 86.6 k. Twelve months of 102,400 GiB are dearer than one of twelve times as much."""
    a_month = dollars(
        billed(book, replace(SILENT, answers_bytes_per_second=a_second(102_400 * GIB))), "egress.internet"
    )
    whole = dollars(
        billed(book, replace(SILENT, answers_bytes_per_second=a_second(12 * 102_400 * GIB))), "egress.internet"
    )
    assert 12 * a_month == pytest.approx(12 * (921.6 + 3_481.6 + 51_200 * 0.07))
    assert whole < 0.75 * 12 * a_month
    planned = spent(per_day={"feed.read": 8_640_000}, demand={"sizes": {"feed": "1MB"}})
    # each month is priced by itself, and the mean month is the mean of them
    assert planned.months == 12
    by_line = [sum(item.dollars_month for item in each.items) for each in (planned.first, planned.mean)]
    assert by_line[0] == pytest.approx(planned.first.total_dollars_month)
    egress = 100 * 1e6 * SECONDS_PER_MONTH / GIB
    assert dollars(planned.first, "egress.internet") == pytest.approx(
        921.6 + 3_481.6 + 7_168.0 + (egress - 153_600) * 0.05, rel=0.01
    )


def test_a_day_is_not_a_month() -> None:
    """A trap: per day for per month. 8.64 million puts a day are 100 a second: 263 million a month, not 8.64."""
    found = spent(per_day={"media.upload": 8_640_000})
    item = next(each for each in found.first.items if each.price_id == "object.standard.put")
    assert item.quantity == pytest.approx(100 * (1 + 4) * SECONDS_PER_MONTH)  # an original and four variants
    assert item.dollars_month == pytest.approx(item.quantity / 1_000 * 0.005)


def test_a_thousand_requests_are_priced_as_a_thousand(book: PriceBook) -> None:
    """A trap: per request for per thousand."""
    found = billed(book, replace(SILENT, puts_per_second=1_000 / SECONDS_PER_MONTH))
    assert dollars(found, "object.standard.put") == pytest.approx(0.005)


def test_a_gibibyte_is_seven_per_cent_more_than_a_gigabyte(book: PriceBook) -> None:
    """A trap: GB for GiB."""
    found = billed(book, replace(SILENT, answers_bytes_per_second=a_second(1_000 * GB)))
    assert dollars(found, "egress.internet") == pytest.approx(1_000 * GB / GIB * 0.09)
    assert pytest.approx(1.0737, abs=1e-4) == GIB / GB


def test_a_size_says_whether_it_is_tera_or_peta() -> None:
    """A trap: TB for PB. A bare number is refused, and the two are a thousand apart."""
    with pytest.raises(ScenarioError, match="expected a size with its unit"):
        made.scenario(demand={"sizes": {"video": 100}})
    small, large = (
        stored(spent(per_day={"media.upload": 1_000}, demand={"videos": "100%", "sizes": {"video": size}}))
        for size in ("1TB", "1PB")
    )
    assert large == pytest.approx(1_000 * small, rel=3e-3)  # but for the tiers of volume


def stored(found: Spending) -> float:
    return dollars(found.first, "object.standard.storage")


def test_transfer_between_zones_is_paid_at_both_ends(book: PriceBook) -> None:
    """A trap: cross-zone transfer billed at both ends."""
    found = billed(book, replace(SILENT, zones_bytes_per_second=a_second(GIB)))
    assert dollars(found, "egress.crossaz") == pytest.approx(0.02)


def test_in_one_zone_nothing_crosses() -> None:
    assert dollars(spent(intent={"zones": 1}).first, "egress.crossaz") == 0.0
    two, three = (dollars(spent(intent={"zones": zones}).first, "egress.crossaz") for zones in (2, 3))
    assert three == pytest.approx(two * (2 / 3) / (1 / 2))


def test_for_small_objects_the_request_is_dearer_than_its_bytes(book: PriceBook) -> None:
    """A trap: HTTPS request fees above the bytes' price for objects below 54 kB, at the last tier's $0.02."""
    for size, requests_are_dearer in ((40_000, True), (70_000, False)):
        images = 1e12 / SECONDS_PER_MONTH
        found = billed(book, replace(SILENT, images_per_second=images, image_bytes_per_second=images * size))
        fee = dollars(found, "cdn.cloudfront.https")
        at_the_last_tier = 1e12 * size / GIB * 0.02
        assert fee == pytest.approx(1e12 / 10_000 * 0.01)
        assert (fee > at_the_last_tier) is requests_are_dearer


def test_milliseconds_of_cpu_need_a_core() -> None:
    """A trap: CPU milliseconds without the core they were measured on; 50 ms of a slower core are less work."""
    per_day = {"feed.read": 86_400.0 * 2_000}
    fast, slow = (
        made.fleet(made.briefed(per_day=per_day, demand={"cpu": {"feed.read": "50ms"}, "core": {"ghz": ghz}}))[0]
        for ghz in (2.6, 1.3)
    )
    assert slow.tiers["feed"].working == pytest.approx(fast.tiers["feed"].working / 2, abs=1)


def test_a_missing_price_is_refused_and_never_zero(book: PriceBook) -> None:
    """A trap: a missing price taken as zero."""
    poorer = PriceBook(
        book="poor", built="2026", prices=tuple(each for each in book.prices if each.id != "egress.crossaz")
    )
    with pytest.raises(PriceError, match=r"book poor has no price egress\.crossaz"):
        billed(poorer)


def test_terms_are_never_mixed(book: PriceBook) -> None:
    """A trap: prices of different terms mixed, three years in advance beside on demand."""
    feed = Machines(component="feed", price_id="vm.c7g.xlarge", unit="instance-hour", count=1)
    reserved = billed(book, machines=[feed], term="reserved_3y")
    assert {item.price_id for item in reserved.items if item.component == "feed"} == {"vm.c7g.xlarge@reserved_3y"}
    store = Machines(component="postgres", price_id="pg.rds.db.m6g.xlarge.multiaz", unit="instance-hour", count=1)
    with pytest.raises(PriceError, match=r"no reserved_3y price of pg\.rds\.db\.m6g\.xlarge\.multiaz"):
        billed(book, machines=[feed, store], term="reserved_3y")
    with pytest.raises(PriceError, match=r"no spot price of vm\.c7g\.xlarge"):
        billed(book, machines=[feed], term="spot")


# Whole plans


def spent(**changes: Any) -> Spending:
    known = made.briefed(**changes)
    return spending.over_horizon(known, made.fleet(known))


def test_objects_pile_up_and_the_last_month_pays_for_all() -> None:
    found = spent(per_day={"media.upload": 86_400})
    first, last = stored(found), dollars(found.last, "object.standard.storage")
    assert last == pytest.approx(first * 11.5 / 0.5)  # the middle of the twelfth month against that of the first
    assert dollars(found.mean, "object.standard.storage") == pytest.approx(first * 6.0 / 0.5)


def test_growth_makes_traffic_dearer_and_leaves_the_machines() -> None:
    found = spent(intent={"growth": "100%"}, demand={"images_per_feed": 5})
    for price_id in ("cdn.cloudfront.https", "egress.crossaz"):
        ratio = dollars(found.last, price_id) / dollars(found.first, price_id)
        assert ratio == pytest.approx(2 ** (11 / 12))
    machines = [
        sum(i.dollars_month for i in bill.items if i.unit == "instance-hour") for bill in (found.first, found.last)
    ]
    assert machines[0] == machines[1]


REGIONS = {"us": {"people": "50%"}, "eu": {"people": "50%"}}


def test_five_regions_cost_more_than_one() -> None:
    """A trap: five regions for the price of one."""
    one = spent()
    two = spent(system={"regions": REGIONS}, intent={"lose_regions": 1})
    assert two.mean.total_dollars_month > one.mean.total_dollars_month
    assert dollars(two.first, "egress.interregion.us-east-1:us-west-2") > 0.0


def test_a_copy_elsewhere_is_stored_and_sent() -> None:
    per_day = {"media.upload": 86_400.0}
    alone = spent(per_day=per_day, system={"regions": REGIONS})
    safe = spent(per_day=per_day, system={"regions": REGIONS}, intent={"lose_regions": 1})
    assert stored(safe) == pytest.approx(2 * stored(alone))


def test_viewers_pay_where_they_are() -> None:
    found = spent(system={"regions": REGIONS}, demand={"images_per_feed": 10})
    assert {"cdn.cloudfront.egress.us+ca+mx", "cdn.cloudfront.egress.eu+il"} <= {
        item.price_id for item in found.first.items
    }
    told = spent(demand={"images_per_feed": 10}, intent={"viewers": {"us": "in"}})
    assert "cdn.cloudfront.egress.in" in {item.price_id for item in told.first.items}


def test_what_the_caches_miss_is_the_object_stores() -> None:
    def gets(edge: str, shield: str) -> float:
        found = spent(
            demand={"images_per_feed": 100}, intent={"hits": {**made.ALL_HIT, "edge": edge, "shield": shield}}
        )
        return next(each.quantity for each in found.first.items if each.price_id == "object.standard.get")

    # tiers in series: 5 % of 10 %, not 5 %
    assert gets("90%", "95%") == pytest.approx(100 * 100 * 0.1 * 0.05 * SECONDS_PER_MONTH, rel=1e-3)
    assert gets("0%", "0%") == pytest.approx(100 * 100 * SECONDS_PER_MONTH, rel=1e-3)


def test_every_line_but_a_machines_grows_with_an_input_that_a_plan_may_be_unsure_of() -> None:
    brief = made.briefed(per_day={"feed.read": 86_400 * 5_000, "media.upload": 86_400 * 50})
    regions = made.fleet(brief)
    items = spending.over_horizon(brief, regions).mean.items
    machines = {each.price_id for each in items if GrowsWith.MACHINES in each.grows_with}
    assert machines
    assert all(each.grows_with == (GrowsWith.MACHINES,) for each in items if each.price_id in machines)
    assert all(each.grows_with for each in items)
    sold_by_use = {grows for each in items if each.price_id not in machines for grows in each.grows_with}
    assert sold_by_use == set(GrowsWith) - {GrowsWith.MACHINES}
