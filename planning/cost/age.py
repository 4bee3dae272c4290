"""Age of prices as an error bar: an old price may have changed since, by the book's ratio for each year.

How far list prices move in a year is an assumption of the book (``moves_year_ratio``), because no history of prices is
kept here. A price p that is a years old lies between p (1 + m)^−a and p (1 + m)^a. The ends of the bill move
all prices in the same direction, as when a provider changes its list; this is the widest possible range. It is neither
uncertainty of the inputs nor error of the model, and is shown separately.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from planning.cost.bill import Bill
from planning.cost.prices import Price, PriceBook

DAYS_PER_YEAR: Final = 365.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A month's bill between the ends that the age of its prices allows."""

    low_dollars_month: float
    high_dollars_month: float
    moves_year_ratio: float  # assumed
    oldest: str  # dates of the prices that are paid
    newest: str
    mean_years: float  # age, weighted by dollars
    undated: tuple[str, ...]  # taken to be as old as the oldest price of the book


def age_of(bill: Bill, book: PriceBook, today: date) -> Aged:
    """The bill's bounds, given the age of its prices by ``today``; raises PriceError for a bill of another book."""
    paid = [(book.price(item.price_id), item.dollars_month) for item in bill.items if item.dollars_month]
    low = sum(dollars / grown(price, book, today) for price, dollars in paid)
    high = sum(dollars * grown(price, book, today) for price, dollars in paid)
    total = sum(dollars for _, dollars in paid)
    dates = sorted(dated.isoformat() for price, _ in paid if (dated := price.dated) is not None)
    return Aged(
        low_dollars_month=low,
        high_dollars_month=high,
        moves_year_ratio=book.moves_year_ratio,
        oldest=dates[0] if dates else "",
        newest=dates[-1] if dates else "",
        mean_years=sum(dollars * years(price, book, today) for price, dollars in paid) / total if total else 0.0,
        undated=tuple(sorted({price.id for price, _ in paid if price.dated is None})),
    )


def grown(price: Price, book: PriceBook, today: date) -> float:
    """The most by which a price may have grown since it was seen, as a factor; its inverse is the most it may fall."""
    return float((1.0 + book.moves_year_ratio) ** years(price, book, today))


def years(price: Price, book: PriceBook, today: date) -> float:
    """Age of a price; one without a date is as old as the oldest of its book."""
    seen = price.dated or min(_dates(book.prices), default=today)
    return max(0.0, (today - seen).days / DAYS_PER_YEAR)


def _dates(prices: Iterable[Price]) -> Iterable[date]:
    return (dated for price in prices if (dated := price.dated) is not None)
