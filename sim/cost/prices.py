"""The price book: dated list prices with their units, read strictly, because a wrong unit is a factor that nobody sees.

A price that is missing is refused, never zero. A quantity is priced only by a price of its own unit; bytes alone are
converted, for providers sell both GiB (2^30) and GB (10^9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

HOURS_PER_MONTH: Final = 730.0
SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3600.0
GIB: Final = 2**30
GB: Final = 10**9
#: Where books are kept unless told otherwise.
FOLDER: Final = Path(__file__).parents[2] / "scenarios" / "prices"

#: Between the name of what is sold and a term that is not on_demand.
TERM_MARK: Final = "@"

_UNIT: Final = re.compile(r"^USD/(?:([0-9]+(?:e[0-9]+)?)-)?(.+)$")
#: The same in C where there is one: a book is long, and a plan reads it first.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BYTES: Final = {"GiB": GIB, "GB": GB}


class PriceError(ValueError):
    """A price is missing, or cannot price this quantity, or the book cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """How much of something in a month. ``unit`` is a book's without ``USD/`` and number, such as ``instance-hour`` or
    ``requests``; bytes are ``B``, ``B-month``, ``B-hour`` or ``B-each-direction`` and fit prices in GiB and in GB."""

    amount: float
    unit: str

    def __post_init__(self) -> None:
        if not 0 <= self.amount < float("inf"):
            raise PriceError(f"{self.amount} {self.unit} is no quantity")


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the book. Either ``rate`` (dollars a unit) or ``tiers`` (upper bound or None, dollars a unit)."""

    id: str
    unit: str
    provider: str
    region: str
    term: str  # on_demand, reserved_1y, reserved_3y, spot; or list: sold by use
    currency: str
    confidence: str  # read in the source, or recalled
    source: str
    as_of: str
    rate: float | None = None
    tiers: tuple[tuple[float | None, float], ...] = ()
    vcpu: float | None = None  # that an instance brings
    memory_gib: float | None = None
    cores: float | None = None  # fewer than vcpu where two threads share one
    ghz: float | None = None
    ipc: float | None = None  # instructions a cycle, over those of an Intel core of 2017 (m5)
    network_gbps: float | None = None  # lasting
    note: str = ""

    def __post_init__(self) -> None:
        if self.currency != "USD" or _UNIT.match(self.unit) is None:
            raise PriceError(f"{self.id}: expected a unit such as USD/GiB, found {self.unit!r} in {self.currency}")
        if (self.rate is None) == (not self.tiers):
            raise PriceError(f"{self.id}: expected either a rate or tiers")
        if self.rate is not None and self.rate < 0:
            raise PriceError(f"{self.id}: expected a rate of at least 0, found {self.rate}")
        if self.tiers:
            bounds = [bound for bound, _ in self.tiers]
            numbers = [bound for bound in bounds[:-1] if bound is not None]
            if bounds[-1] is not None or len(numbers) != len(bounds) - 1 or numbers != sorted(set(numbers)):
                raise PriceError(f"{self.id}: expected rising bounds of tiers, the last one null, found {bounds}")
            if any(dollars < 0 for _, dollars in self.tiers):
                raise PriceError(f"{self.id}: expected tiers of at least 0 dollars")

    def dollars(self, quantity: Quantity) -> float:
        """What ``quantity`` costs in a month; raises PriceError when its unit is another."""
        units = self.units(quantity)
        if self.rate is not None:
            return units * self.rate
        total, below = 0.0, 0.0
        for bound, dollars in self.tiers:
            upto = units if bound is None else min(units, bound)
            total += max(0.0, upto - below) * dollars
            if bound is None or units <= bound:
                break
            below = bound
        return total

    def units(self, quantity: Quantity) -> float:
        match = _UNIT.match(self.unit)
        if match is None:  # refused when it was made
            raise PriceError(f"{self.id}: {self.unit}")
        lot, kind = float(match[1] or 1), match[2]
        if kind == quantity.unit:
            return quantity.amount / lot
        size, dash, rest = kind.partition("-")
        if size in _BYTES and quantity.unit == f"B{dash}{rest}":
            return quantity.amount / _BYTES[size] / lot
        raise PriceError(f"{self.id} is sold as {self.unit} and cannot price {quantity.unit}")


class PriceBook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated book."""

    book: str
    built: str
    prices: tuple[Price, ...]
    note: str = ""

    def __post_init__(self) -> None:
        ids = [price.id for price in self.prices]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise PriceError(f"book {self.book}: priced twice: {', '.join(twice)}")

    def price(self, price_id: str) -> Price:
        """The price called ``price_id``; raises PriceError when the book has none."""
        for price in self.prices:
            if price.id == price_id:
                return price
        raise PriceError(f"book {self.book} has no price {price_id}")

    def at_term(self, price_id: str, term: str) -> Price:
        """The price of that term, or of what is sold by use and has no terms; raises PriceError, for no other term may
        stand in for it."""
        wanted = next((price for price in self.prices if price.id == f"{price_id}{TERM_MARK}{term}"), None)
        found = wanted or self.price(price_id)
        if found.term not in (term, "list"):
            raise PriceError(f"book {self.book} has no {term} price of {price_id}")
        return found

    def dollars(self, price_id: str, quantity: Quantity) -> float:
        """What ``quantity`` costs in a month at that price; raises PriceError."""
        return self.price(price_id).dollars(quantity)


def read(book: str | Path) -> PriceBook:
    """Read a book by its name (``2026-11``) or its path; raises PriceError."""
    path = book if isinstance(book, Path) else FOLDER / f"{book}.yaml"
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
        return msgspec.convert(_texts(data), type=PriceBook)
    except FileNotFoundError as error:
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.yaml")))
        raise PriceError(f"there is no price book {path}; there are {known}") from error
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise PriceError(f"{path}: {error}") from error


def _texts(data: Any) -> Any:
    """YAML makes dates and numbers of what is meant as text here."""
    if not isinstance(data, Mapping):
        return data
    found = {**data, **{name: str(data[name]) for name in ("book", "built") if name in data}}
    prices = found.get("prices")
    if isinstance(prices, list):
        found["prices"] = [
            {**each, "as_of": str(each["as_of"])} if isinstance(each, Mapping) and "as_of" in each else each
            for each in prices
        ]
    return found
