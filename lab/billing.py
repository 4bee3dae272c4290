"""Monthly cost of each side of a pair, both priced by the same bill from the scenario's price book."""

from __future__ import annotations

from collections.abc import Mapping

from core.run import Run
from planning.cost import bill as bills
from planning.cost import prices
from planning.cost.bill import Bill
from records.comparison import CostComparison, Pair


def cost(simulated: Run | None, measured: Run | None) -> CostComparison | None:
    """Both bills side by side; None without a run, and a reason where a side cannot be priced."""
    known = measured or simulated
    if known is None:
        return None
    name = known.scenario.prices
    try:
        book = prices.read(name)
        ours = bills.of_run(simulated, book) if simulated is not None else None
        real = bills.of_run(measured, book) if measured is not None else None
    except ValueError as error:  # a PriceError, or a run without judged time
        return CostComparison(prices=name, reason=str(error))
    return CostComparison(
        prices=name,
        month=Pair.of("a month", _total(ours), _total(real)),
        million_requests=Pair.of("per million requests", _per_million(ours), _per_million(real)),
        user=Pair.of("per user", _per_user(ours), _per_user(real)),
        items=_items(ours.by_component() if ours else {}, real.by_component() if real else {}),
        notes=tuple(dict.fromkeys([*(real.assumptions if real else ()), *(ours.assumptions if ours else ())])),
    )


def _items(ours: Mapping[str, float], real: Mapping[str, float]) -> tuple[Pair, ...]:
    """By component, the most expensive first."""
    names = sorted(ours.keys() | real.keys(), key=lambda each: (-max(ours.get(each, 0.0), real.get(each, 0.0)), each))
    return tuple(Pair.of(name, ours.get(name) if ours else None, real.get(name) if real else None) for name in names)


def _total(bill: Bill | None) -> float | None:
    return bill.total_dollars_month if bill is not None else None


def _per_million(bill: Bill | None) -> float | None:
    return bill.dollars_per_million_requests if bill is not None else None


def _per_user(bill: Bill | None) -> float | None:
    return bill.dollars_per_user_month if bill is not None else None
