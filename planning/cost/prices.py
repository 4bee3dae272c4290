"""The price book: dated list prices with their units, read strictly, because a wrong unit is easily overlooked.

A missing price is an error, never zero. A quantity is priced only by a price of its own unit; only bytes are converted,
because providers sell both GiB (2^30) and GB (10^9).

A custom book ``extends`` another: its prices replace the other's of the same name. A price for a term
(``vm.c7g.xlarge@spot``) needs only its rate, date and source; the extended book describes the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

HOURS_PER_MONTH: Final = 730.0
SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3600.0
GIB: Final = 2**30
GB: Final = 10**9
#: Where books are kept by default.
FOLDER: Final = Path(__file__).parents[2] / "scenarios" / "prices"

#: Separates the name of what is sold from a term other than on_demand.
TERM_MARK: Final = "@"
#: How machines are paid for.
TERMS: Final = ("on_demand", "reserved_1y", "reserved_3y", "spot")
#: The term of what is sold by use.
LIST: Final = "list"

_UNIT: Final = re.compile(r"^USD/(?:([0-9]+(?:e[0-9]+)?)-)?(.+)$")
#: The C loader if there is one, because a book is long and every plan reads it first.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BYTES: Final = {"GiB": GIB, "GB": GB}
_DATE: Final = re.compile(r"^(\d{4})-(\d{2})(?:-(\d{2}))?(?: package)?$")
#: The date of a price that was seen at an unknown time; it counts as the oldest.
_UNDATED: Final = "undated"
#: What every price must state itself, even if it extends another.
_OWN: Final = ("rate", "tiers", "as_of", "source", "confidence", "term", "note")
_SUFFIXES: Final = (".yaml", ".yml")


class PriceError(ValueError):
    """A price is missing or does not fit the quantity, or the book cannot be read; the message says which and why."""


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
    vcpu: float | None = None  # of an instance
    memory_gib: float | None = None
    cores: float | None = None  # fewer than vcpu if two threads share one
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
        if self.rate == 0 and self.unit.endswith("-hour") and self.vcpu:
            raise PriceError(f"{self.id}: a machine needs a rate above 0")
        if self.as_of != _UNDATED and (not _DATE.match(self.as_of) or not _is_day(self.as_of)):
            raise PriceError(
                f"{self.id}: as_of: expected an ISO date such as 2026-11-20 or 2026-11, or {_UNDATED}, found "
                f"{self.as_of!r}"
            )
        if self.tiers:
            bounds = [bound for bound, _ in self.tiers]
            numbers = [bound for bound in bounds[:-1] if bound is not None]
            if bounds[-1] is not None or len(numbers) != len(bounds) - 1 or numbers != sorted(set(numbers)):
                raise PriceError(f"{self.id}: expected rising bounds of tiers, the last one null, found {bounds}")
            if any(dollars < 0 for _, dollars in self.tiers):
                raise PriceError(f"{self.id}: expected tiers of at least 0 dollars")

    @property
    def dated(self) -> date | None:
        """When it was seen: the first of the month if only that is known, None if nothing is."""
        return _day(self.as_of)

    def dollars(self, quantity: Quantity) -> float:
        """What ``quantity`` costs in a month; raises PriceError if it has another unit."""
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


def _is_day(text: str) -> bool:
    try:
        return _day(text) is not None
    except ValueError:
        return False


def _day(text: str) -> date | None:
    match = _DATE.match(text)
    return date(int(match[1]), int(match[2]), int(match[3] or 1)) if match else None


class PriceBook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated book. ``moves_year_ratio`` is an assumption: how far list prices may move in a year, up or down."""

    book: str
    built: str
    prices: tuple[Price, ...]
    note: str = ""
    extends: str = ""  # the name of another, or its path beside this one
    moves_year_ratio: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.moves_year_ratio < 1:
            raise PriceError(f"book {self.book}: expected moves_year_ratio from 0 up to 1")
        ids = [price.id for price in self.prices]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise PriceError(f"book {self.book}: priced twice: {', '.join(twice)}")

    @property
    def day(self) -> date:
        """When it was built, or the day of its newest price if the book gives no day."""
        seen = [each for price in self.prices if (each := price.dated) is not None]
        return _day(self.built) or max(seen, default=date.min)

    def price(self, price_id: str) -> Price:
        """The price called ``price_id``; raises PriceError if the book has none."""
        for price in self.prices:
            if price.id == price_id:
                return price
        raise PriceError(f"book {self.book} has no price {price_id}")

    def at_term(self, price_id: str, term: str) -> Price:
        """The price at that term, or the price of something that is sold by use and has no terms. Raises PriceError
        rather than use another term."""
        wanted = next((price for price in self.prices if price.id == f"{price_id}{TERM_MARK}{term}"), None)
        found = wanted or self.price(price_id)
        if found.term not in (term, LIST):
            raise PriceError(f"book {self.book} has no {term} price of {price_id}")
        return found

    def dollars(self, price_id: str, quantity: Quantity) -> float:
        """What ``quantity`` costs in a month at that price; raises PriceError."""
        return self.price(price_id).dollars(quantity)


def read(book: str | Path, *, beside: Path = Path()) -> PriceBook:
    """Read a book by its name (``2026-11``) or by its path, from the folder ``beside``; raises PriceError."""
    path = _path(book, beside)
    try:
        return msgspec.convert(_whole(path, ()), type=PriceBook)
    except msgspec.ValidationError as error:
        raise PriceError(f"{path}: {error}") from error


def _path(book: str | Path, beside: Path) -> Path:
    return beside / book if isinstance(book, Path) or book.endswith(_SUFFIXES) else FOLDER / f"{book}.yaml"


def _whole(path: Path, seen: tuple[Path, ...]) -> Any:
    """A book as plain data, with the prices of the one that it extends."""
    if path in seen:
        raise PriceError(f"{path} extends itself")
    try:
        data = _texts(yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER))
    except FileNotFoundError as error:
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.yaml")))
        raise PriceError(f"there is no price book {path}; there are {known}") from error
    except (OSError, yaml.YAMLError) as error:
        raise PriceError(f"{path}: {error}") from error
    if not isinstance(data, Mapping) or not data.get("extends") or not isinstance(data.get("prices"), list):
        return data
    extended: Mapping[str, Any] = _whole(_path(str(data["extends"]), path.parent), (*seen, path))
    theirs = {each["id"]: each for each in extended["prices"]}
    own = {each["id"]: each for each in _filled(path, data["prices"], theirs)}
    return {**extended, **data, "prices": [*(theirs | own).values()]}


def _filled(path: Path, prices: list[Any], known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Prices of an extending book, completed by the extended one's description of the same thing."""
    for each in prices:
        if not isinstance(each, Mapping) or "id" not in each:
            raise PriceError(f"{path}: expected prices with an id, found {each!r}")
        missing = [name for name in ("as_of", "source") if not each.get(name)]
        if missing:
            raise PriceError(f"{path}: {each['id']} does not say its {' and its '.join(missing)}")
        thing, _, term = str(each["id"]).partition(TERM_MARK)
        base = known.get(each["id"]) or known.get(thing) or {}
        yield {
            "term": term or base.get("term", TERMS[0]),
            "confidence": "stated",
            **{name: value for name, value in base.items() if name not in _OWN},
            **each,
        }


def _texts(data: Any) -> Any:
    """Convert to text what YAML parsed as dates and numbers."""
    if not isinstance(data, Mapping):
        return data
    found = {**data, **{name: str(data[name]) for name in ("book", "built", "extends") if name in data}}
    prices = found.get("prices")
    if isinstance(prices, list):
        found["prices"] = [
            {**each, "as_of": str(each["as_of"])} if isinstance(each, Mapping) and "as_of" in each else each
            for each in prices
        ]
    return found
