"""One run alone on the terminal: what each operation took, how sure that is, and what the expectations say of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from core import judge, stats
from core.names import ERRORS, Origin
from core.run import Run, Samples
from core.stats import Estimate
from lab import agreement, counts, figures
from lab.tables import ends, labelled, table
from sim.outcomes import Service

_NAME: Final = 32
_MARKS: Final = {True: "✓", False: "✗", None: "·"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One operation; quantiles of `agreement.QUANTILES`, None where too few requests carry one."""

    name: str
    count: int
    per_second: float
    quantiles: tuple[Estimate | None, ...]  # seconds
    errors_ratio: float


def summarize(run: Run) -> str:
    """The text for `click.echo`."""
    record = run.record
    lines = [
        ends(
            f"windtunnel {record.origin.value} {record.scenario}",
            f"seed {record.seed}   {record.commit}   {figures.took(record.written.wall_seconds)}",
        )
    ]
    if run.rows_kept_ratio < 1.0:
        lines += labelled("ROWS", f"kept of 1 request in {1 / run.rows_kept_ratio:,.0f}; the table is of all of them")
    if record.validity.void:
        lines += labelled("VOID", "; ".join(record.validity.reasons) or "no reason was recorded")
    found = judge.judge(run.scenario, run.samples, ledger=record.ledger or None)
    if found.verdicts:
        lines += ["", f"{'EXPECTATIONS':<{_NAME + 2}}{'limit':>9}{record.origin.value:>12}   verdict"]
    for verdict in found.verdicts:
        value = figures.by_unit(verdict.value, verdict.unit)
        limit = figures.limit_of(verdict.limit, verdict.unit)
        word = {True: "held", False: "missed", None: verdict.reason or "not judged"}[verdict.held]
        lines.append(f"{_MARKS[verdict.held]} {verdict.name:<{_NAME}}{limit:>9}{value:>12}   {word}")
    head = ["OPERATION", "n", "rate", "errors", *(f"p{q * 100:g} ms" for q in agreement.QUANTILES)]
    lines += ["", *table(head, [_row(each) for each in operations(run)])[0], ""]
    lines += labelled(
        "NOTE",
        "± is half of the 95 % interval, from tenths of this one run; a peak that comes once is in one of them."
        + (" How much runs differ: --replications 20" if record.origin is Origin.SIMULATED else ""),
    )
    return "\n".join(lines)


def operations(run: Run) -> list[Line]:
    """Every operation of the judged time, by name."""
    seconds = run.record.duration_seconds
    samples = agreement.waited(run.samples.judged(), run.scenario.traffic.timeout_seconds)
    counted = counts.read(run.folder, duration_seconds=seconds)
    rows = {name: samples.of(name) for name in sorted({str(each) for each in np.unique(samples.operation)})}
    if counted is None:
        return [_of_rows(name, rows[name], seconds) for name in rows]
    return [_of_counts(name, counted[name], rows.get(name), seconds) for name in sorted(counted)]


def _of_rows(name: str, rows: Samples, seconds: float) -> Line:
    return Line(
        name=name,
        count=len(rows),
        per_second=len(rows) / seconds,
        quantiles=tuple(
            stats.blocked_quantile(rows.latency_seconds, rows.at_seconds, q, seconds=seconds)
            if stats.supported(len(rows), q)
            else None
            for q in agreement.QUANTILES
        ),
        errors_ratio=float(np.isin(rows.outcome, [each.value for each in ERRORS]).mean()),
    )


def _of_counts(name: str, service: Service, rows: Samples | None, seconds: float) -> Line:
    """Of a run that kept some of its rows: figures of all requests, intervals as wide as those rows tell."""
    kept = None if rows is None else _of_rows(name, rows, seconds)
    quantiles: list[Estimate | None] = []
    for place, q in enumerate(agreement.QUANTILES):
        value, about = service.quantile_seconds(q), None if kept is None else kept.quantiles[place]
        half = math.inf if about is None else (about.high - about.low) / 2.0
        quantiles.append(None if value is None else Estimate(value=value, low=value - half, high=value + half))
    return Line(
        name=name,
        count=service.count,
        per_second=service.count / seconds,
        quantiles=tuple(quantiles),
        errors_ratio=service.errors_ratio,
    )


def _row(line: Line) -> list[str]:
    return [
        line.name,
        figures.count(line.count),
        figures.rate(line.per_second),
        figures.share(line.errors_ratio) if line.errors_ratio else f"<{stats.unseen_ratio_max(line.count) * 100:.2g} %",
        *(_around(each) for each in line.quantiles),
    ]


def _around(found: Estimate | None) -> str:
    """``9.1 ±18 %``, in milliseconds."""
    if found is None:
        return figures.MISSING
    half = (found.high - found.low) / 2.0
    if not math.isfinite(half) or not half:
        return figures.rounded(found.value * 1e3)
    return f"{figures.rounded(found.value * 1e3, half * 1e3)} {_percent(half / found.value * 100)}"


def _percent(value: float) -> str:
    return f"±{value:.{0 if value >= 0.95 else 1}f} %"
