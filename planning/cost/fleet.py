"""A planned fleet's bill: whole machines with spares, disks as provisioned, and all traffic of a month.

Bytes and requests are both charged, transfer between zones at both ends, between regions at the sender, images at the
CDN's monthly tiers of each viewer geography. Machines have terms of payment; what is sold by use has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from core.prices import CDN_BYTES_PRICE
from planning.cost.bill import (
    CDN_REQUESTS_PRICE,
    EGRESS_PRICE,
    GET_PRICE,
    PUT_PRICE,
    STORAGE_PRICE,
    Bill,
    CostLine,
    monthly,
    priced,
)
from planning.cost.growth import GrowsWith
from planning.cost.prices import HOURS_PER_MONTH, LIST, SECONDS_PER_MONTH, TERMS, PriceBook, Quantity

ORIGIN_PRICE: Final = "cdn.cloudfront.origin_fetch"
ZONES_PRICE: Final = "egress.crossaz"
REGIONS_PRICE: Final = "egress.interregion.us-east-1:us-west-2"
DISK_PRICE: Final = "block.gp3.storage"
IOPS_PRICE: Final = "block.gp3.iops"
MANAGED_DISK_PRICE: Final = "pg.rds.gp3"
LOG_DISK_PRICE: Final = "kafka.msk.storage"

ASSUMPTIONS: Final = (
    "machines of every region at the book's one region, us-east-1 (managed PostgreSQL: eu-west-1)",
    "the CDN's fee for a request at its price in the US, for want of others in the book",
    "transfer between any two regions at the price from us-east-1 to us-west-2",
    "objects are kept for good, and each region that may be lost has a copy elsewhere",
    "left out: people's time, support, taxes, monitoring, name service, back-ups",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """Machines of one kind, running all month."""

    component: str
    price_id: str
    unit: str  # what they are sold by, such as instance-hour
    count: float  # not whole if components share machines
    term: str = TERMS[0]  # how they are paid


@dataclass(frozen=True, slots=True, kw_only=True)
class Disks:
    """Volumes of one component, as provisioned; ``iops`` are those beyond the included ones."""

    component: str
    price_id: str
    bytes_provisioned: float
    grows_with: tuple[GrowsWith, ...]
    iops: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTraffic:
    """Traffic and stored bytes of one region, as means over the month."""

    geography: str  # of its viewers, as the CDN's prices have it
    images_per_second: float
    image_bytes_per_second: float
    origin_bytes_per_second: float  # what the object store sends to the CDN
    gets_per_second: float
    puts_per_second: float
    stored_bytes: float
    answers_bytes_per_second: float
    zones_bytes_per_second: float  # from one zone to another
    regions_bytes_per_second: float  # to another region
    requests_per_second: float  # of clients, images among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Everything that is paid for in one month."""

    machines: tuple[Machines, ...]
    disks: tuple[Disks, ...]
    traffic: tuple[RegionTraffic, ...]
    people: int


def bill(month: Month, book: PriceBook) -> Bill:
    """Price a month; raises PriceError if the book has no price for a machine's term."""
    used = ((line, LIST) for line in (*_disks(month), *_traffic(month)))
    return Bill(
        prices=book.book,
        items=tuple(priced(line, book.at_term(line.price_id, term)) for line, term in (*_machines(month), *used)),
        requests_month=sum(each.requests_per_second for each in month.traffic) * SECONDS_PER_MONTH,
        people=month.people,
        assumptions=ASSUMPTIONS,
    )


def _machines(month: Month) -> Iterator[tuple[CostLine, str]]:
    """Lines with their terms."""
    for each in month.machines:
        quantity = Quantity(amount=each.count * HOURS_PER_MONTH, unit=each.unit)
        yield CostLine(each.component, quantity, each.price_id, (GrowsWith.MACHINES,)), each.term


def _disks(month: Month) -> Iterator[CostLine]:
    for each in month.disks:
        provisioned = Quantity(amount=each.bytes_provisioned, unit="B-month")
        yield CostLine(each.component, provisioned, each.price_id, each.grows_with)
        if each.iops:
            operations = Quantity(amount=each.iops, unit="IOPS-month")
            yield CostLine(each.component, operations, IOPS_PRICE, each.grows_with)


def _traffic(month: Month) -> Iterator[CostLine]:
    """Tiers are by month and account, and the CDN's by viewer geography, so regions are added up first."""
    rate, images, size, misses = GrowsWith.RATE, GrowsWith.IMAGES, GrowsWith.BYTES, GrowsWith.MISSES
    geographies = dict.fromkeys(each.geography for each in month.traffic)
    for geography in geographies:
        sent = sum(each.image_bytes_per_second for each in month.traffic if each.geography == geography)
        yield CostLine("cdn", monthly(sent, "B"), CDN_BYTES_PRICE + geography, (rate, images, size))

    def total(name: str) -> float:
        return sum(float(getattr(each, name)) for each in month.traffic)

    yield CostLine("cdn", monthly(total("images_per_second"), "requests"), CDN_REQUESTS_PRICE, (rate, images))
    yield CostLine("cdn", monthly(total("origin_bytes_per_second"), "B"), ORIGIN_PRICE, (rate, images, size, misses))
    stored = Quantity(amount=total("stored_bytes"), unit="B-month")
    yield CostLine("objects", stored, STORAGE_PRICE, (rate, size))
    yield CostLine("objects", monthly(total("puts_per_second"), "requests"), PUT_PRICE, (rate,))
    yield CostLine("objects", monthly(total("gets_per_second"), "requests"), GET_PRICE, (rate, images, misses))
    yield CostLine("egress", monthly(total("answers_bytes_per_second"), "B"), EGRESS_PRICE, (rate, size))
    # sender and receiver both pay for all of it
    crossed = monthly(2.0 * total("zones_bytes_per_second"), "B-each-direction")
    yield CostLine("between zones", crossed, ZONES_PRICE, (rate,))
    yield CostLine("between regions", monthly(total("regions_bytes_per_second"), "B"), REGIONS_PRICE, (rate, size))
