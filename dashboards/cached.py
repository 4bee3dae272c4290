"""Caches the samples of recently viewed runs: reading them takes a moment, and every interaction redraws the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from core.names import Origin
from core.run import Samples
from dashboards import data
from dashboards.data import RunEntry

PARTS_MAX: Final = 12
BROKEN_SECONDS: Final = 30.0


def samples(entry: RunEntry, *, in_faults: bool | None = None) -> Mapping[Origin, Samples]:
    """`dashboards.data.samples`, kept until the run is compared again."""
    return _samples(str(entry.folder), entry.stamp, in_faults, entry)


@st.cache_resource(max_entries=PARTS_MAX, show_spinner=False)
def _samples(folder: str, stamp: int, in_faults: bool | None, _entry: RunEntry) -> Mapping[Origin, Samples]:
    return data.samples(_entry, in_faults=in_faults)


def broken(entry: RunEntry) -> Mapping[Origin, str]:
    """`dashboards.data.broken`, checked again after a while: files can break at any time."""
    return _broken(str(entry.folder), entry.stamp, entry)


@st.cache_data(max_entries=PARTS_MAX, ttl=BROKEN_SECONDS, show_spinner=False)
def _broken(folder: str, stamp: int, _entry: RunEntry) -> Mapping[Origin, str]:
    return data.broken(_entry)
