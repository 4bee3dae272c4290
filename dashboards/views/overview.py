"""The overview page: expectations, error of the model, spare capacity, cost, and history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboards import cached, heading
from dashboards.data import RunEntry
from dashboards.text import plain
from dashboards.views.runs import table
from lab import modelled
from present import charts, figures
from records.comparison import Comparison, OperationPair

HISTORY_MAX: Final = 20
_MARKS: Final = {True: "✓ held", False: "✗ missed", None: "· not judged"}


def show(known: Sequence[RunEntry], entry: RunEntry) -> None:
    """Draw the page of one run."""
    comparison = heading.verdict(entry)
    if comparison is None:
        return
    _tiles(comparison)
    _expectations(comparison)
    _timeline(entry, comparison)
    _modelled(comparison)
    st.subheader("History", anchor=False)
    same = [each for each in known if each.comparison is None or each.comparison.scenario == comparison.scenario]
    if len(same) < 2:
        st.caption("One run of this scenario: there is no trend yet, and how much two runs differ is not known.")
    table(same[:HISTORY_MAX], key="history")


def _modelled(comparison: Comparison) -> None:
    found = modelled.remarks(comparison.simulated.facts)
    if not found:
        return
    st.subheader("Findings of the model", anchor=False)
    st.table([{"": each.title, "simulated": plain(each.text)} for each in found], hide_index=True, border="horizontal")


def _tiles(comparison: Comparison) -> None:
    decided = [each.deciding for each in comparison.verdicts if each.deciding is not None]
    held = sum(1 for each in decided if each.held)
    name, worst = _worst(comparison.rows)
    busy = comparison.measured.utilisation_ratio
    busy = comparison.simulated.utilisation_ratio if busy is None else busy
    month = comparison.cost.month if comparison.cost is not None else None
    dollars = None if month is None else (month.simulated if month.measured is None else month.measured)
    tiles = (
        ("Expectations held", f"{held} of {len(decided)}" if decided else figures.MISSING, ""),
        ("Worst error of the model", worst, name),
        ("Headroom", figures.share(None if busy is None else max(0.0, 1.0 - busy)), "of the stack's cores, on average"),
        ("A month", figures.dollars(dollars), f"prices {comparison.cost.prices}" if comparison.cost and month else ""),
    )
    for column, (label, value, note) in zip(st.columns(len(tiles)), tiles, strict=True):
        with column:
            st.metric(label, value, border=True)
            st.caption(note or " ")


def _worst(rows: Sequence[tuple[str, OperationPair]]) -> tuple[str, str]:
    """The percentile with the largest error beyond noise, or a statement that there is none."""
    found = [
        (abs(each.error_ratio), f"{name} p{each.q * 100:g}", figures.error(each.error_ratio))
        for name, pair in rows
        for each in pair.quantiles
        if each.error_ratio is not None and each.beyond_noise
    ]
    if not found:
        judged = any(pair.worst is not None for _, pair in rows)
        return ("every percentile is within noise", "none") if judged else ("", figures.MISSING)
    _, name, error = max(found)
    return name, error


def _expectations(comparison: Comparison) -> None:
    if not comparison.verdicts:
        return
    st.subheader("Expectations", anchor=False)
    st.table(
        [
            {
                "expectation": each.name,
                "limit": figures.limit(each),
                "simulated": figures.judged(each.simulated, each.unit),
                "measured": figures.judged(each.measured, each.unit),
                "verdict": _MARKS[each.deciding.held if each.deciding else None]
                + (f" {figures.margin(each)}" if each in comparison.missed else "")
                + (f" ({each.deciding.reason})" if each.deciding and each.deciding.reason else ""),
            }
            for each in comparison.verdicts
        ],
        hide_index=True,
        border="horizontal",
    )


def _timeline(entry: RunEntry, comparison: Comparison) -> None:
    if not comparison.operations:
        return
    limits = {each.name.partition(" ")[0]: each for each in comparison.verdicts if " p" in each.name}
    wanted = [each for each in comparison.operations if each.operation in limits] or comparison.operations
    operation = max(wanted, key=lambda each: each.count).operation
    limit = limits.get(operation)
    sides = {origin: side.of(operation) for origin, side in cached.samples(entry).items()}
    sides = {origin: side for origin, side in sides.items() if len(side)}
    if not sides:
        return
    st.subheader(f"{operation} over time", anchor=False)
    chart = charts.over_time(
        sides,
        duration_seconds=comparison.duration_seconds,
        palette=heading.palette(),
        faults=comparison.faults,
        limit_seconds=limit.limit if limit else None,
        limit_name=limit.name.partition(" ")[2].partition(",")[0] + f" {figures.limit(limit)}" if limit else "",
        viral_at_seconds=comparison.viral_at_seconds,
        width=760,
    )
    legend = "measured solid, simulated dashed" if len(sides) == 2 else "".join(each.value for each in sides)
    st.altair_chart(chart, theme=None, width="content", alt=f"{operation} over time, p50 and p95, {legend}")
    st.caption(f"p50 and p95, {legend}" + ("; the fault acts where it is shaded." if comparison.faults else "."))
