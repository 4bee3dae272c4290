"""The dashboard: a selector of runs above flat pages. The address holds the state of the page, so that it can be
shared.

Streamlit runs this file from top to bottom at every interaction. It reads run records only.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dashboards import data, heading
from dashboards.views import agreement, overview, runs

RUNS_VARIABLE = "WINDTUNNEL_RUNS"
#: On a phone a chart scrolls horizontally, and a number stays on one line with its unit.
_STYLE = """<style>
[data-testid="stVegaLiteChart"] { overflow-x: auto; }
[data-testid="stTable"] td { white-space: nowrap; }
[data-testid="stMainBlockContainer"] { padding-top: 3.5rem; }
</style>"""


def folder() -> Path:
    """The folder of runs: ``-- --runs DIR``, else the environment's, else ``runs``."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--runs", type=Path)
    options, _ = parser.parse_known_args(sys.argv[1:])
    return options.runs or Path(os.environ.get(RUNS_VARIABLE, "runs"))


def show() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Windtunnel", page_icon="🌬️", layout="wide")
    where = folder()
    known = data.entries(where)
    st.html(_STYLE)
    # the selector is above the page, so it is drawn after the pages are created and before one runs
    chosen: list[data.RunEntry] = []
    pages = [
        st.Page(_page(lambda: overview.show(known, chosen[0])), title="Overview", url_path="overview", default=True),
        st.Page(_page(lambda: agreement.show(chosen[0])), title="Agreement", url_path="agreement"),
        st.Page(_page(lambda: runs.show(known)), title="Runs", url_path="runs"),
    ]
    # our own links: Streamlit's drop the run from the address, and writing it back would add a step to the history
    page = st.navigation(pages, position="hidden")
    if not known:
        heading.empty(where)
        return
    top = st.container(horizontal=True)
    entry = heading.choose(known, where)
    for each in pages:
        top.page_link(each, query_params={heading.RUN: entry.id} if entry is not None else None)
    chosen += [entry] if entry is not None else []
    if chosen or page is pages[-1]:
        page.run()


def _page(draw: Callable[[], None]) -> Callable[[], None]:
    """A page that shows a message when a run's files cannot be read: they may be removed while it is drawn."""

    def drawn() -> None:
        try:
            draw()
        except OSError as error:
            st.error(f"The run's files can no longer be read: {error.strerror or error}.")

    return drawn


show()
