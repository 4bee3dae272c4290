"""The bill: the cost of serving a run's traffic for a month, by component, at the prices of one dated book.

A fraction of a machine costs that fraction, so that the bills of a small simulated and a small measured system can be
compared; the planner answers how many whole machines a fleet needs, with spares. Machines are sized so that they are
busy for `TARGET_UTILISATION_RATIO` of the time at the run's mean load.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from core.names import Server
from core.operations import FEED_READ, IMAGE_READ, MEDIA_COMPLETE, OBJECT_PUT
from core.prices import CDN_BYTES_PRICE, VIEWERS
from core.run import Run
from core.scenario.processes import group_of
from planning.cost import quantities
from planning.cost.growth import GrowsWith
from planning.cost.prices import HOURS_PER_MONTH, SECONDS_PER_MONTH, Price, PriceBook, PriceError, Quantity
from planning.cost.quantities import Quantities

TARGET_UTILISATION_RATIO: Final = 0.6

COMPUTE_PRICE: Final = "vm.c7g.xlarge"
POSTGRES_PRICE: Final = "pg.rds.db.m6g.xlarge.multiaz"
REDIS_PRICE: Final = "redis.valkey.cache.r7g.large"
KAFKA_PRICE: Final = "kafka.msk.kafka.m5.24xlarge"
STORAGE_PRICE: Final = "object.standard.storage"
PUT_PRICE: Final = "object.standard.put"
GET_PRICE: Final = "object.standard.get"
CDN_REQUESTS_PRICE: Final = "cdn.cloudfront.https"
EGRESS_PRICE: Final = "egress.internet"

#: Their CPU is not priced, because a CDN and an object store with its front are sold by bytes and requests …
BY_VOLUME: Final = (Server.EDGE, Server.SHIELD, Server.OBJECTS, Server.FRONT)
#: … and these serve the test, not the users.
NOT_PRODUCT: Final = (Server.TOXIPROXY, Server.PROMETHEUS)
ASSUMPTIONS: Final = (
    f"machines sized to be busy {TARGET_UTILISATION_RATIO:.0%} of the time at the run's mean load, fractions of them "
    "paid as fractions",
    "a core of this machine does the work of one vCPU",
    "object storage holds what one month of uploads adds, for a month",
    "left out: redundancy, memory beyond that of the machines, disks of PostgreSQL and Kafka, traffic between zones",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillItem:
    """One line: ``quantity`` of ``unit`` in a month."""

    component: str
    quantity: float
    unit: str
    price_id: str
    dollars_month: float
    grows_with: tuple[GrowsWith, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A month's bill. Requests are those sent by clients, users the scenario's people."""

    prices: str  # name of the book
    items: tuple[BillItem, ...]
    requests_month: float
    people: int
    assumptions: tuple[str, ...] = ASSUMPTIONS

    @property
    def total_dollars_month(self) -> float:
        return sum(item.dollars_month for item in self.items)

    @property
    def dollars_per_million_requests(self) -> float | None:
        """None without requests."""
        return self.total_dollars_month / (self.requests_month / 1e6) if self.requests_month else None

    @property
    def dollars_per_user_month(self) -> float:
        """Dollars a month for one of the people."""
        return self.total_dollars_month / self.people

    def by_component(self) -> dict[str, float]:
        """Dollars a month by component, in the order of the bill."""
        found: dict[str, float] = {}
        for item in self.items:
            found[item.component] = found.get(item.component, 0.0) + item.dollars_month
        return found


def of_run(run: Run, book: PriceBook) -> Bill:
    """The bill of one run, simulated or measured; raises PriceError, or ValueError for a run without judged time."""
    return bill(quantities.of_run(run), book)


def bill(usage: Quantities, book: PriceBook) -> Bill:
    """Price what a system uses; raises PriceError if the book lacks a price or has it in another unit."""
    items = tuple(priced(line, book.price(line.price_id)) for line in (*_machines(usage, book), *_volumes(usage)))
    sizes = usage.sizes.assumed
    assumed = (f"sizes assumed, not recorded: {', '.join(name.replace('_', ' ') for name in sizes)}",) if sizes else ()
    return Bill(
        prices=book.book,
        items=items,
        requests_month=sum(usage.per_second.values()) * SECONDS_PER_MONTH,
        people=usage.people,
        assumptions=ASSUMPTIONS + assumed,
    )


class CostLine(NamedTuple):
    """One thing that is paid for, and what its quantity grows with."""

    component: str
    quantity: Quantity
    price_id: str
    grows_with: tuple[GrowsWith, ...]


def priced(line: CostLine, price: Price) -> BillItem:
    """A line at a price; raises PriceError if the price has another unit."""
    return BillItem(
        component=line.component,
        quantity=line.quantity.amount,
        unit=line.quantity.unit,
        price_id=price.id,
        dollars_month=price.dollars(line.quantity),
        grows_with=line.grows_with,
    )


def monthly(per_second: float, unit: str) -> Quantity:
    """What a mean rate adds up to in a month."""
    return Quantity(amount=per_second * SECONDS_PER_MONTH, unit=unit)


def _machines(usage: Quantities, book: PriceBook) -> Iterator[CostLine]:
    """Machines for CPU and memory, as fractions of nodes running all month."""
    busy: dict[str, float] = {}
    for process, cores in usage.cores.items():
        name = group_of(process)  # instances of one kind are one line
        if name not in BY_VOLUME and name not in NOT_PRODUCT:
            busy[name] = busy.get(name, 0.0) + cores
    for name, cores in sorted(busy.items()):
        price_id, unit = _SOLD_AS.get(name, (COMPUTE_PRICE, "instance-hour"))
        nodes = cores / TARGET_UTILISATION_RATIO / _brings(book, price_id, "vcpu")
        if name == Server.REDIS:
            # one thread does the work, so a node provides one core, however many it has; and it must hold the data
            memory_gib = usage.redis_memory_bytes / 2**30
            nodes = max(cores / TARGET_UTILISATION_RATIO, memory_gib / _brings(book, price_id, "memory_gib"))
        yield CostLine(name, Quantity(amount=nodes * HOURS_PER_MONTH, unit=unit), price_id, (GrowsWith.MACHINES,))


_SOLD_AS: Final = {
    str(Server.POSTGRES): (POSTGRES_PRICE, "instance-hour"),
    str(Server.REDIS): (REDIS_PRICE, "node-hour"),
    str(Server.KAFKA): (KAFKA_PRICE, "broker-hour"),
}


def _volumes(usage: Quantities) -> Iterator[CostLine]:
    """Lines for what is sold by bytes and requests."""
    sizes = usage.sizes
    images = usage.answered_per_second.get(IMAGE_READ, 0.0)
    uploads = usage.answered_per_second.get(OBJECT_PUT, 0.0)
    processed = usage.answered_per_second.get(MEDIA_COMPLETE, 0.0)
    stored = uploads * sizes.original_bytes + processed * sizes.variants_bytes
    puts = uploads + processed * quantities.VARIANTS_COUNT
    # a miss of both tiers, the upload's verification and the worker's reading
    gets = images * usage.edge_miss_ratio * usage.shield_miss_ratio + processed * 2
    feeds = usage.answered_per_second.get(FEED_READ, 0.0)
    past_our_services = (FEED_READ, IMAGE_READ, OBJECT_PUT)
    others = sum(rate for name, rate in usage.per_second.items() if name not in past_our_services)
    sent = feeds * sizes.feed_bytes + others * sizes.answer_bytes
    asked = usage.per_second.get(IMAGE_READ, 0.0)
    grows = GrowsWith
    shown = monthly(images * sizes.image_bytes, "B")
    yield CostLine("object store", monthly(stored, "B-month"), STORAGE_PRICE, (grows.RATE, grows.BYTES))
    yield CostLine("object store", monthly(puts, "requests"), PUT_PRICE, (grows.RATE,))
    yield CostLine("object store", monthly(gets, "requests"), GET_PRICE, (grows.RATE, grows.IMAGES, grows.MISSES))
    yield CostLine("cdn", shown, CDN_BYTES_PRICE + VIEWERS, (grows.RATE, grows.IMAGES, grows.BYTES))
    yield CostLine("cdn", monthly(asked, "requests"), CDN_REQUESTS_PRICE, (grows.RATE, grows.IMAGES))
    yield CostLine("egress", monthly(sent, "B"), EGRESS_PRICE, (grows.RATE, grows.BYTES))


def _brings(book: PriceBook, price_id: str, what: str) -> float:
    price = book.price(price_id)
    found = price.vcpu if what == "vcpu" else price.memory_gib
    if not found:
        raise PriceError(f"book {book.book}: {price_id} does not say its {what}")
    return found
