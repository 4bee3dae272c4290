"""The report's tables of agreement: errors, percentiles with intervals, rates."""

from __future__ import annotations

from collections.abc import Iterable

from present import figures
from present.parts import Table, row
from records.comparison import Comparison, OperationPair


def errors(rows: Iterable[tuple[str, OperationPair]], caption: str) -> Table:
    """Signed errors, the noise of the worst one, distances and counts of each (name, pair)."""
    found = []
    for name, pair in rows:
        worst = pair.worst
        cells = (
            ("! " if pair.beyond_noise else "") + name,
            figures.rho(pair.utilisation_ratio),
            *(figures.error(each.error_ratio) for each in pair.quantiles),
            figures.noise(worst.noise_ratio if worst else None),
            figures.MISSING if pair.ks is None else f"{pair.ks:.2f}",
            figures.duration(pair.wasserstein_seconds),
            figures.count(pair.measured.count if pair.measured else None),
        )
        found.append(row(*cells, mark="" if pair.beyond_noise else "faint"))
    head = ("operation, worst first", "ρ", "p50", "p95", "p99", "noise", "KS", "Wasserstein", "n")
    return Table.of(head, found, caption=caption)


def percentiles(rows: Iterable[tuple[str, OperationPair]]) -> Table:
    """Percentiles of both sides with their intervals, to be folded away: it is wide."""
    found = []
    for name, pair in rows:
        cells = [name]
        for each in pair.quantiles:
            cells += [
                figures.interval(each.simulated),
                figures.interval(each.measured),
                figures.noise(each.noise_ratio),
            ]
        found.append(row(*cells))
    head = tuple(word for q in ("p50", "p95", "p99") for word in (f"{q} simulated", "measured", "noise"))
    caption = "Percentiles with their 95 % intervals, and the noise of each error."
    return Table.of(("operation", *head), found, caption=caption, folded=True)


def rates(comparison: Comparison) -> Table:
    """Throughput, errors and degraded answers of each operation on both sides."""
    rows = []
    for pair in sorted(comparison.operations, key=lambda each: each.operation):
        ours, real = pair.simulated, pair.measured
        rows.append(
            row(
                pair.operation,
                figures.rate(ours.per_second if ours else None),
                figures.rate(real.per_second if real else None),
                figures.error(pair.throughput_error_ratio),
                figures.share(ours.errors_ratio if ours else None),
                figures.share(real.errors_ratio if real else None),
                figures.share(ours.degraded_ratio if ours else None),
                figures.share(real.degraded_ratio if real else None),
            )
        )
    head = ("operation", "rate simulated", "measured", "error", "errors simulated", "measured", "degraded simulated")
    return Table.of((*head, "measured"), rows, caption="Throughput, errors and degraded answers.")
