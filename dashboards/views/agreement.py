"""The agreement page: errors of the model, worst first, and the details of one operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import streamlit as st

from core.names import Origin
from core.run import Samples
from dashboards import cached, heading
from dashboards.data import RunEntry
from dashboards.text import code, plain
from lab import speeds
from present import charts, figures
from records.comparison import Comparison, OperationPair

_OPERATION: Final = "op"  # in the address
_WHOLE: Final = "the whole time"
_OUTSIDE: Final = "outside faults"
_INSIDE: Final = "in faults"


def show(entry: RunEntry) -> None:
    """Draw the page of one run."""
    comparison = heading.verdict(entry)
    if comparison is None:
        return
    if not (comparison.simulated.present and comparison.measured.present):
        st.write("A comparison needs both sides. This command runs both:")
        st.code(f"windtunnel run scenarios/{comparison.scenario}.yaml", language="sh")
        return
    _errors(comparison)
    names = list(dict.fromkeys(pair.operation for _, pair in comparison.rows))
    if not names:
        st.info("No request was judged: there is nothing to compare.")
        return
    operation = _choose(names)
    sides = {origin: side.of(operation) for origin, side in cached.samples(entry).items()}
    if any(not len(side) for side in sides.values()) or len(sides) < 2:
        st.info(f"{operation} has requests on one side only.")
        return
    _curves(comparison, entry, operation, sides)


def _errors(comparison: Comparison) -> None:
    found = ["the prediction uses no data of this run", *speeds.sentences(comparison)]
    st.write(" ".join(plain(f"{each[:1].upper()}{each[1:]}.") for each in found))
    st.caption("Error = (simulated − measured) / measured. The noise is the sampling error of this one run.")
    _table(comparison.rows)
    if comparison.matched:
        with st.expander("Speed-matched: the model with this one factor taken from the run"):
            _table([(each.operation, each) for each in comparison.matched])
    chart = charts.signed_errors(comparison.rows, palette=heading.palette(), width=620)
    with st.expander("All errors on one axis", expanded=False):
        st.altair_chart(chart, theme=None, width="content", alt="Signed errors of every operation, with their noise")


def _table(rows: Sequence[tuple[str, OperationPair]]) -> None:
    st.table(
        [
            {
                "operation, worst first": ("! " if pair.beyond_noise else "") + name,
                "ρ": figures.rho(pair.utilisation_ratio),
                **{f"p{each.q * 100:g}": figures.error(each.error_ratio) for each in pair.quantiles},
                "noise": figures.noise(pair.worst.noise_ratio if pair.worst else None),
                "KS": figures.MISSING if pair.ks is None else f"{pair.ks:.2f}",
                "errors simulated": figures.share(pair.simulated.errors_ratio if pair.simulated else None),
                "errors measured": figures.share(pair.measured.errors_ratio if pair.measured else None),
                "n": figures.count(pair.measured.count if pair.measured else None),
            }
            for name, pair in rows
        ],
        hide_index=True,
        border="horizontal",
    )


def _choose(names: Sequence[str]) -> str:
    """The operation that the address names, or the worst; the reader may choose another."""
    asked = st.query_params.get(_OPERATION)
    if asked and asked not in names:
        st.warning(f"There is no operation {code(asked)} in this run.")
    # before the selector is drawn, and not written to the address: see `heading.choose`
    st.session_state[_OPERATION] = asked if asked in names else names[0]
    st.selectbox("Operation", names, key=_OPERATION, on_change=_to_address)
    chosen: str = st.session_state[_OPERATION]
    return chosen


def _to_address() -> None:
    keys = (heading.RUN, _OPERATION)
    st.query_params.from_dict({key: st.session_state[key] for key in keys if key in st.session_state})


def _curves(comparison: Comparison, entry: RunEntry, operation: str, whole: Mapping[Origin, Samples]) -> None:
    sides = whole
    when = _WHOLE
    if comparison.faults:
        when = st.segmented_control("Time", [_OUTSIDE, _INSIDE, _WHOLE], default=_OUTSIDE, key="when") or _OUTSIDE
    if when != _WHOLE:
        parts = cached.samples(entry, in_faults=when == _INSIDE)
        sides = {origin: side.of(operation) for origin, side in parts.items()}
    colors = heading.palette()
    curves, cumulated, against, time = st.tabs(["By percentile", "Cumulated", "Quantile against quantile", "Over time"])
    with curves:
        st.altair_chart(
            charts.by_percentile(sides, palette=colors, width=700),
            theme=None,
            width="content",
            alt=f"Latency of {operation} by percentile {when}: {_words(comparison, operation, when)}",
        )
        st.caption(
            f"{operation}, {when}: {_words(comparison, operation, when)}. The band is the interval of the measured "
            "one; the strip below shows the error, and in grey the noise of the sample sizes."
        )
    with cumulated:
        chart = charts.distribution(sides, palette=colors, width=560, height=320)
        st.altair_chart(
            chart, theme=None, width="content", alt=f"Distribution of the latency of {operation}, both sides"
        )
    with against:
        chart = charts.quantile_quantile(sides, palette=colors, width=420, height=420)
        st.altair_chart(chart, theme=None, width="content", alt=f"Simulated against measured quantiles of {operation}")
        st.caption("On the diagonal the sides agree; the grey band is the interval of the measured quantile.")
    with time:
        chart = charts.over_time(
            whole,
            duration_seconds=comparison.duration_seconds,
            palette=colors,
            faults=comparison.faults,
            viral_at_seconds=comparison.viral_at_seconds,
            width=700,
        )
        st.altair_chart(chart, theme=None, width="content", alt=f"Latency of {operation} over time, both sides")


def _words(comparison: Comparison, operation: str, when: str) -> str:
    rows = {_WHOLE: comparison.operations, _OUTSIDE: comparison.outside_faults, _INSIDE: comparison.in_faults}[when]
    pair = next((each for each in rows if each.operation == operation), None)
    sentences = [
        f"p{each.q * 100:g} {figures.interval(each.simulated)} simulated, {figures.interval(each.measured)} measured, "
        f"{figures.error(each.error_ratio)}"
        for each in (pair.quantiles if pair is not None else ())
        if each.error_ratio is not None
    ]
    return "; ".join(sentences) or "too few requests for a percentile"
