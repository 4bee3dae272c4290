"""The text of a single run for the terminal: latency of each operation with intervals, and its expectations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core import judge, stats
from core.names import ERRORS, Origin, Outcome
from core.run import Run, Samples
from core.stats import Estimate
from lab import agreement, modelled
from planning.simulations import counts
from planning.studies import words
from present import figures
from present.tables import MARKS, ends, labelled, table
from sim.results.outcomes import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationLine:
    """One operation; quantiles of `agreement.QUANTILES`, None where too few requests carry one."""

    name: str
    count: int
    per_second: Estimate
    quantiles: tuple[Estimate | None, ...]  # seconds
    errors_ratio: Estimate


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
        lines += labelled("ROWS", f"kept for 1 request in {1 / run.rows_kept_ratio:,.0f}; the table counts all of them")
    if record.validity.void:
        lines += labelled("VOID", "; ".join(record.validity.reasons) or "no reason was recorded")
    found = judge.judge(run.scenario, run.samples, ledger=record.ledger or None)
    judged = [
        [
            f"{MARKS[each.held]} {each.name}",
            figures.limit_of(each.limit, each.unit),
            figures.found(each.value, each.interval, each.unit),
            {True: "held", False: "missed", None: each.reason or "not judged"}[each.held],
        ]
        for each in found.verdicts
    ]
    if judged:
        lines += ["", *table(["EXPECTATIONS", "limit", record.origin.value, "verdict"], judged, remark=True)[0]]
    head = ["OPERATION", "n", "rate/s", "errors", *(f"p{q * 100:g} ms" for q in agreement.QUANTILES)]
    limit, shown = run.scenario.traffic.timeout_seconds, operations(run)
    lines += ["", *table(head, [_row(each, limit) for each in shown])[0], ""]
    refused = _refused(run)
    if refused:
        lines += labelled("ERRORS", f"refused of the judged requests: {refused}")
    for label, text in modelled.lines(record.facts):
        lines += labelled(label, text)
    if any(each is not None and figures.at_limit(each.value, limit) for line in shown for each in line.quantiles):
        lines += labelled("NOTE", words.time_limit(run.scenario, milliseconds=True))
    lines += labelled(
        "NOTE",
        "± is half of the 95 % interval, from tenths of this one run (for a rate, from its visits); a peak that comes "
        "once is in one tenth only."
        + (" To see how much runs differ: --replications 20" if record.origin is Origin.SIMULATED else ""),
    )
    return "\n".join(lines)


def _refused(run: Run) -> str:
    """``feed.read 1,204, like.add 3``: refusals among the rows that the run kept, brought to all requests."""
    samples = run.samples.judged()
    names, numbers = np.unique(
        samples.operation[samples.outcome == Outcome.REFUSED.value].astype(str), return_counts=True
    )
    return ", ".join(
        f"{name} {round(number / run.rows_kept_ratio):,}" for name, number in zip(names, numbers.tolist(), strict=True)
    )


def operations(run: Run) -> list[OperationLine]:
    """Every operation of the judged time, by name."""
    seconds = run.record.duration_seconds
    samples = agreement.waited(run.samples.judged(), run.scenario.traffic.timeout_seconds)
    counted = counts.read(run.folder, duration_seconds=seconds)
    rows = {name: samples.of(name) for name in sorted({str(each) for each in np.unique(samples.operation)})}
    kept = {name: _of_rows(name, found, seconds) for name, found in rows.items()}
    if counted is None:
        return list(kept.values())
    return [_of_counts(name, counted[name], kept.get(name), seconds, run.rows_kept_ratio) for name in sorted(counted)]


def _of_rows(name: str, rows: Samples, seconds: float) -> OperationLine:
    return OperationLine(
        name=name,
        count=len(rows),
        per_second=stats.visits_rate(rows.request, seconds=seconds),
        quantiles=tuple(
            stats.blocked_quantile(rows.latency_seconds, rows.at_seconds, q, seconds=seconds)
            if stats.supported(len(rows), q)
            else None
            for q in agreement.QUANTILES
        ),
        errors_ratio=stats.blocked_share(
            np.isin(rows.outcome, [each.value for each in ERRORS]), rows.at_seconds, seconds=seconds
        ),
    )


def _of_counts(
    name: str, service: Service, kept: OperationLine | None, seconds: float, kept_ratio: float
) -> OperationLine:
    """Figures of all requests of a run that kept only some rows. The rows give the widths of the intervals of
    percentiles and the variance of the rate over visits; a sum of 1 / ``kept_ratio`` times as many requests varies by
    the root of that factor more."""
    return OperationLine(
        name=name,
        count=service.count,
        per_second=_within(service.count / seconds, None if kept is None else kept.per_second, kept_ratio**-0.5),
        quantiles=tuple(
            None if value is None else _within(value, None if kept is None else kept.quantiles[index])
            for index, value in enumerate(service.quantile_seconds(q) for q in agreement.QUANTILES)
        ),
        errors_ratio=service.errors(),
    )


def _within(value: float, about: Estimate | None, scale: float = 1.0) -> Estimate:
    """The value with an interval ``scale`` times as wide as that of ``about``."""
    half = math.inf if about is None else (about.high - about.low) / 2.0 * scale
    return Estimate(value=value, low=value - half, high=value + half)


def _row(line: OperationLine, limit_seconds: float) -> list[str]:
    return [
        line.name,
        figures.count(line.count),
        figures.around(line.per_second),
        figures.errors(line.errors_ratio),
        *(figures.latency(each, limit_seconds) for each in line.quantiles),
    ]
