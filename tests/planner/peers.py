"""Four asks that another planner answers, answered by ours: what docs/PLANNER.md lays side by side.

The first is a scenario; the others are single stores, so they go straight to the resources that a store's nodes are
counted by. CPU an operation is what was measured here: Redis 8 µs (GET and SET of 100 bytes, 64 connections, a core of
2.8 GHz), PostgreSQL at most 42 µs a point read and 317 µs a durable commit (both with their client on the same cores),
the log 25 µs a message, which is a guess. All machines are reserved for three years, as theirs are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.profile import Profile
from core.scenario.demand import Core
from planning.cost import fleet
from planning.cost.prices import PriceBook, Quantity
from planning.plan import answer as plan
from planning.plan.certainty.uncertainty import Uncertainty
from planning.plan.demand.workload import DAY_SECONDS
from planning.plan.sizing import shapes, tiers
from planning.plan.sizing.shapes import Shape
from planning.plan.sizing.tiers import Need
from records.provenance import ROOT
from records.scenarios import read

STATELESS: Final = ROOT / "scenarios" / "plans" / "peers" / "stateless.yaml"
TERM: Final = "reserved_3y"
#: The core that the figures above were measured on.
MEASURED: Final = Core(ghz=2.8)
BUSY: Final = 0.8
MONTHS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one ask comes to."""

    machines: int
    shape: str
    dollars_year: float
    binds: Need


def stateless(profile: Profile, book: PriceBook, path: Path = STATELESS) -> tuple[Answer, Uncertainty]:
    """350,000 requests a second of 50 ms each: the machines of the services, and how sure they are."""
    found = plan.make(read(path), profile, book, more=False)
    (pool,) = found.regions[0].pools
    assert found.uncertainty is not None  # the scenario has ranges
    answer = Answer(
        machines=pool.machines,
        shape=pool.shape.price_id,
        dollars_year=pool.machines * pool.shape.dollars_month * MONTHS,
        binds=found.regions[0].tiers["api"].binds,
    )
    return answer, found.uncertainty


def cache(book: PriceBook) -> Answer:
    """200 GiB, 2 million reads and 200,000 writes a second, a copy in each of three zones, each write to all."""
    copies, answer_bytes = 3, 1_000.0

    def needs(shape: Shape) -> tuple[Need, ...]:
        # reads are shared by the copies, writes go to all of them
        operations = 2e6 / copies + 2e5
        return tiers.redis_needs(
            shape,
            cores=operations * 8e-6,
            busy=BUSY,
            memory_bytes=200 * 2**30,
            network_bytes_per_second=operations * answer_bytes,
        )

    return _cheapest(book, "redis", needs, copies=copies)


def log(book: PriceBook) -> Answer:
    """20,000 messages of 1 KiB a second, three copies, 24 hours, three readers, one broker to spare."""
    sent = 20_000 * 1_024.0
    disk = sent * tiers.LOG_COPIES * DAY_SECONDS / tiers.DISK_RATIO

    def needs(shape: Shape) -> tuple[Need, ...]:
        return tiers.kafka_needs(shape, cores=20_000 * 25e-6, busy=BUSY, bytes_per_second=sent)

    return _cheapest(book, "kafka", needs, copies=1, spare=1, disk_bytes=disk)


def database(book: PriceBook) -> Answer:
    """5,000 reads and 500 writes a second, 500 GiB, one replica."""
    copies = 2

    def needs(shape: Shape) -> tuple[Need, ...]:
        return tiers.postgres_needs(
            shape,
            cores=5_000 * 42e-6 + 500 * 317e-6,
            busy=BUSY,
            disk_bytes=500 * 2**30,
            commits_per_second=500.0,
            network_bytes_per_second=5_000 * 2_000.0,
        )

    return _cheapest(book, "postgres", needs, copies=copies, disk_bytes=500 * 2**30 * copies / tiers.DISK_RATIO)


def _cheapest(
    book: PriceBook,
    kind: str,
    needs: Callable[[Shape], tuple[Need, ...]],
    *,
    copies: int,
    spare: int = 0,
    disk_bytes: float = 0.0,
) -> Answer:
    offered, _ = shapes.shapes_of(book, kind=kind, term=TERM, calibrated=MEASURED)
    disk = book.dollars(fleet.DISK_PRICE, Quantity(amount=disk_bytes, unit="B-month"))
    found = []
    for shape in offered:
        asked = needs(shape)
        machines = (max(1, asked[0].count) + spare) * copies
        dollars = (machines * shape.dollars_month + disk) * MONTHS
        found.append(Answer(machines=machines, shape=shape.price_id, dollars_year=dollars, binds=asked[0]))
    return min(found, key=lambda answer: answer.dollars_year)
