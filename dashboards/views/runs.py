"""The page of all runs, newest first, void ones grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.data import RunEntry
from present import figures

_GREY = "color: #7A8794"
_COLUMNS = ("run", "scenario", "verdict", "held", "worst p95", "seed", "commit", "what was found")


def show(known: Sequence[RunEntry]) -> None:
    """Draw the page."""
    st.subheader("Runs", anchor=False)
    if len(known) >= data.ENTRIES_MAX:
        st.caption(f"The newest {data.ENTRIES_MAX}; older ones are not listed.")
    table(known, key="runs")


def table(known: Sequence[RunEntry], *, key: str) -> None:
    """A table of runs, void and uncompared ones grey."""
    frame = pd.DataFrame([_row(each) for each in known], columns=list(_COLUMNS))
    grey = {index for index, each in enumerate(known) if each.comparison is None or each.word.startswith("void")}
    styled = frame.style.apply(
        lambda row: [_GREY if row.name in grey else "" for _ in row],
        axis=1,
    )
    st.dataframe(styled, hide_index=True, key=key, alt=f"{len(known)} runs, newest first")


def _row(entry: RunEntry) -> dict[str, Any]:
    comparison = entry.comparison
    if comparison is None:
        return {
            **dict.fromkeys(_COLUMNS, figures.MISSING),
            "run": entry.id,
            "verdict": entry.word,
            "what was found": entry.reason,
        }
    decided = [each.deciding for each in comparison.verdicts if each.deciding is not None]
    errors = [
        (abs(found.error_ratio), f"{figures.error(found.error_ratio)} {name}")
        for name, pair in comparison.rows
        if (found := pair.quantile(0.95)) is not None and found.error_ratio is not None
    ]
    side = comparison.measured if comparison.measured.present else comparison.simulated
    return {
        "run": entry.id,
        "scenario": comparison.scenario,
        "verdict": entry.word,
        "held": f"{sum(1 for each in decided if each.held)} of {len(decided)}",
        "worst p95": max(errors)[1] if errors else figures.MISSING,
        "seed": str(comparison.seed),
        "commit": side.commit,
        "what was found": comparison.sentence,
    }
