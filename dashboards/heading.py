"""The top of every page: the run selector, the verdict in a sentence, and the origin of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.names import Origin
from dashboards import cached, data
from dashboards.data import RunEntry
from dashboards.text import code, plain
from present import figures
from present.palette import DARK, LIGHT, Palette
from records.comparison import Comparison

RUN = "run"  # in the address and, by the same name, the selector's state


def choose(known: Sequence[RunEntry], where: Path) -> RunEntry | None:
    """Let the reader choose a run; None, with a message, when the address names one that does not exist.

    An address without a run shows the newest. It is not rewritten: Streamlit adds an entry to the browser's history
    whenever a page writes its address, and Back would have to be pressed once more.
    """
    by_id = {each.id: each for each in known}
    asked = st.query_params.get(RUN)
    if asked and asked not in by_id:
        # never show another run instead: a reader who follows a link must not see the wrong run's numbers
        st.error(f"Run {code(asked)} does not exist: there is no such folder in {code(where)}.")
        st.selectbox("Choose another run", list(by_id), index=None, key="other", on_change=_other)
        return None
    # before the selector is drawn: after Back the address is right, and the selector's state is not
    st.session_state[RUN] = asked or known[0].id
    st.selectbox("Run", list(by_id), key=RUN, on_change=_to_address, format_func=lambda each: title(by_id[each]))
    return by_id[st.session_state[RUN]]


def title(entry: RunEntry) -> str:
    """A run in the selector: id, scenario, verdict."""
    scenario = f" · {entry.comparison.scenario}" if entry.comparison is not None else ""
    return f"{entry.id}{scenario} · {entry.word}"


def verdict(entry: RunEntry) -> Comparison | None:
    """Show the verdict of a run and its evidence; None, with a message, when it has no comparison."""
    comparison = entry.comparison
    if comparison is None:
        st.warning(f"Run {code(entry.id)} cannot be shown: {plain(entry.reason)}.")
        if entry.remedy:
            st.code(entry.remedy, language="sh")
        return None
    mark = "✓" if comparison.exit_code == 0 else "✗"
    st.subheader(f"{mark} {plain(comparison.sentence)}", anchor=False)
    side = comparison.measured if comparison.measured.present else comparison.simulated
    words = [comparison.scenario, f"seed {comparison.seed}", f"commit {side.commit}", figures.clock(side.started)]
    processor, cores = side.machine.get("processor"), side.machine.get("cores")
    words += [f"{processor}, {cores} cores"] if processor else []
    st.caption(" · ".join(plain(each) for each in words if each))
    if comparison.measured.void:
        reasons = plain("; ".join(comparison.measured.void_reasons)) or "no reason was recorded"
        st.warning(f"This run is void: {reasons}.")
    for other, each in ((Origin.MEASURED, comparison.simulated), (Origin.SIMULATED, comparison.measured)):
        if not each.present:
            st.info(f"This run is only {other.value}: {plain(each.reason)}. Nothing is compared.")
    for origin, reason in cached.broken(entry).items():
        st.warning(f"The {origin.value} side is broken now: {plain(reason)}. Figures are those of the comparison.")
    return comparison


def empty(where: Path) -> None:
    """Say what a folder without pairs of runs holds, and how to make the first pair."""
    st.subheader("No run yet", anchor=False)
    single = data.single_runs(where)
    if single:
        count = f"{len(single)} single run{'s' if len(single) > 1 else ''}"
        said = f"{code(where)} holds {count} and no pair of runs, which is what the dashboard shows."
    else:
        said = f"There is no run in {code(where)}."
    st.write(f"{said} This makes the first pair, in about four minutes:")
    st.code("windtunnel run scenarios/viral_post_small.yaml", language="sh")


def palette() -> Palette:
    """Colours of the reader's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def _to_address() -> None:
    # without the operation: another run may not have it
    st.query_params.from_dict({RUN: st.session_state[RUN]})


def _other() -> None:
    if st.session_state["other"] is not None:
        st.query_params.from_dict({RUN: st.session_state["other"]})
