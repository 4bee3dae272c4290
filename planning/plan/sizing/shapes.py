"""Shapes: machines in the price book, and how much calibrated work one of their cores does.

A core's speed is clock × instructions a cycle over the calibrated core's. Where two threads share a core, both busy,
the core does `SMT_GAIN` times the work of one, so a thread is that much slower than a core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.scenario.demand import Core
from planning.cost.prices import HOURS_PER_MONTH, TERM_MARK, Price, PriceBook, PriceError
from sim.model.stated import speed

#: Work of a core with two busy threads over that with one (Intel gives 1.3 for its own benchmark; servers see less).
SMT_GAIN: Final = 1.25
#: What sells machines for each kind of group, by the beginning of the price's name; a store can run on plain machines.
SOLD_AS: Final = {
    "services": ("vm.",),
    "redis": ("redis.", "vm."),
    "postgres": ("pg.rds.db.", "vm."),
    "kafka": ("kafka.msk.kafka.", "vm."),
}
#: Instances behind one price: a database sold with its standby is two.
_PAIRED: Final = ".multiaz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One machine or node."""

    price_id: str  # without a term, see `PriceBook.at_term`
    unit: str  # in which its hours are sold
    term: str
    vcpu: int
    memory_bytes: float
    network_bytes_per_second: float
    speed: float  # of one busy vCPU, over the calibrated core
    dollars_month: float
    standby: bool  # the price includes a second one as standby
    managed: bool
    as_of: str

    @property
    def work(self) -> float:
        """The calibrated cores that it equals."""
        return self.vcpu * self.speed


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeRefusal:
    """Why something in the book was not tried."""

    price_id: str
    reason: str


def shapes_of(
    book: PriceBook, *, kind: str, term: str, calibrated: Core
) -> tuple[tuple[Shape, ...], tuple[ShapeRefusal, ...]]:
    """(shapes for a kind of group at that term, those refused and why). Raises PriceError where there is none."""
    found, refused = [], []
    home = _home(book)
    family = SOLD_AS[kind][0].partition(".")[0] + "."
    for price in book.prices:
        if (
            TERM_MARK in price.id
            or not price.unit.endswith("-hour")
            or not price.id.startswith((family, *SOLD_AS[kind]))
        ):
            continue
        if price.provider != home:
            refused.append(
                ShapeRefusal(price_id=price.id, reason=f"sold by {price.provider}, and a fleet is at {home}")
            )
            continue
        try:
            found.append(shape(book.at_term(price.id, term), calibrated=calibrated, price_id=price.id))
        except PriceError as error:
            refused.append(ShapeRefusal(price_id=price.id, reason=str(error)))
    if not found:
        raise PriceError(f"book {book.book} has no {term} price of a machine for {kind}")
    return tuple(found), tuple(refused)


def _home(book: PriceBook) -> str:
    """The provider of the plain machines."""
    sellers = [price.provider for price in book.prices if price.id.startswith("vm.")]
    if not sellers:
        raise PriceError(f"book {book.book} sells no plain machine")
    return max(set(sellers), key=sellers.count)


def shape(price: Price, *, calibrated: Core, price_id: str | None = None) -> Shape:
    """The machine of a price; raises PriceError if the price does not describe it."""
    lot, dash, kind = price.unit.partition("/")[2].rpartition("-")
    vcpu, cores, memory_gib = price.vcpu, price.cores, price.memory_gib
    if not (vcpu and cores and memory_gib and price.ghz and price.ipc and price.network_gbps) or price.rate is None:
        raise PriceError(f"{price.id} does not say its cores, clock, memory and network")
    if kind != "hour" or not dash:
        raise PriceError(f"{price.id} is sold by {price.unit}, not by the machine's hour")
    core = speed(Core(ghz=price.ghz, ipc=price.ipc), over=calibrated)
    return Shape(
        price_id=price_id or price.id,
        unit=f"{lot}-hour",
        term=price.term,
        vcpu=int(vcpu),
        memory_bytes=memory_gib * 2**30,
        network_bytes_per_second=price.network_gbps * 1e9 / 8.0,
        speed=core if cores >= vcpu else core * SMT_GAIN * cores / vcpu,
        dollars_month=price.rate * HOURS_PER_MONTH,
        standby=(price_id or price.id).endswith(_PAIRED),
        managed=not price.id.startswith("vm."),
        as_of=price.as_of,
    )
