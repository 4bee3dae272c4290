"""What stands above every page: the run selector, the verdict in a sentence, and where the run comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboards.data import Entry
from lab import figures
from lab.comparison import Comparison
from lab.palette import DARK, LIGHT, Palette

_RUN = "run"  # in the address and, by the same name, the selector's state


def choose(known: Sequence[Entry], where: Path) -> Entry | None:
    """Let the reader choose a run; None where the address names one that is gone, which is then said."""
    by_id = {each.id: each for each in known}
    asked = st.query_params.get(_RUN)
    if asked is not None and asked not in by_id:
        # never another one in its place: whoever follows a link must not read the wrong run's figures
        st.error(f"Run {asked} is gone: there is no such folder in {where}.")
        st.selectbox("Choose another run", list(by_id), index=None, key="other", on_change=_other)
        return None
    if asked is not None:
        st.session_state[_RUN] = asked
    elif st.session_state.get(_RUN) not in by_id:
        st.session_state[_RUN] = known[0].id
    st.selectbox("Run", list(by_id), key=_RUN, on_change=_to_address, format_func=lambda each: title(by_id[each]))
    st.query_params[_RUN] = st.session_state[_RUN]
    return by_id[st.session_state[_RUN]]


def title(entry: Entry) -> str:
    """A run in the selector: id, scenario, verdict."""
    scenario = f" · {entry.comparison.scenario}" if entry.comparison is not None else ""
    return f"{entry.id}{scenario} · {entry.word}"


def verdict(entry: Entry) -> Comparison | None:
    """Say the verdict of a run and what it stands on; None where it has no comparison, which is then said."""
    comparison = entry.comparison
    if comparison is None:
        st.warning(f"Run {entry.id} cannot be shown: {entry.reason}.")
        st.code(f"windtunnel report {entry.folder}", language="sh")
        return None
    mark = "✓" if comparison.exit_code == 0 else "✗"
    st.subheader(f"{mark} {comparison.sentence}", anchor=False)
    side = comparison.measured if comparison.measured.present else comparison.simulated
    words = [comparison.scenario, f"seed {comparison.seed}", f"commit {side.commit}", figures.clock(side.started)]
    processor, cores = side.machine.get("processor"), side.machine.get("cores")
    words += [f"{processor}, {cores} cores"] if processor else []
    st.caption(" · ".join(each for each in words if each))
    if comparison.measured.void:
        st.warning(f"This run is void: {'; '.join(comparison.measured.void_reasons) or 'no reason was recorded'}.")
    for each in (comparison.simulated, comparison.measured):
        if not each.present:
            st.info(f"There is {each.reason}; nothing is compared.")
    return comparison


def empty(where: Path) -> None:
    """What to do where there is no run at all."""
    st.subheader("No run yet", anchor=False)
    st.write(f"There is nothing in `{where}`. This makes the first run, in about four minutes:")
    st.code("windtunnel run scenarios/viral_post_small.yaml", language="sh")


def palette() -> Palette:
    """Colours of the reader's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def _to_address() -> None:
    st.query_params[_RUN] = st.session_state[_RUN]


def _other() -> None:
    if st.session_state["other"] is not None:
        st.query_params[_RUN] = st.session_state["other"]
