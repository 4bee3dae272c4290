"""Reads the settings of a process (`core.settings`) and the scenario, and keeps them typed on the application.

Nothing here has a default of its own: addresses come from the settings file, policies from the scenario's `system`.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Final, TypeVar

from aiohttp import web

from core import ids, settings
from core.scenario import Scenario
from core.settings import Member, ProcessSettings
from records.scenarios import read
from services.kit.clock import now_ms

S = TypeVar("S")

SETTINGS: Final = web.AppKey("SETTINGS", ProcessSettings)
MEMBER: Final = web.AppKey("MEMBER", Member)
SCENARIO: Final = web.AppKey("SCENARIO", Scenario)


def load() -> ProcessSettings:
    """Read the file that ``WINDTUNNEL_SETTINGS`` names; raises SystemExit with a message when it cannot be used."""
    path = os.environ.get(settings.SETTINGS_VARIABLE, "")
    if not path:
        raise SystemExit(f"{settings.SETTINGS_VARIABLE} is not set: it names the settings file that `stack` writes")
    try:
        return settings.decode(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: {error}") from error


@functools.cache
def scenario_at(path: str) -> Scenario:
    """The scenario this stack was started for; raises ScenarioError or OSError."""
    return read(Path(path))


@functools.cache
def _sequence(worker: int, worker_count: int) -> ids.IdSequence:
    # one per operating-system process and worker index: components that share the process must not share ids
    return ids.IdSequence(worker=worker, worker_count=worker_count)


def new_id(app: web.Application, shard: int) -> int:
    """A fresh id on logical shard ``shard``, unique among all processes of the stack."""
    settings = app[SETTINGS]
    return _sequence(settings.worker, settings.worker_count).next(now_ms=now_ms(), shard=shard)


def logical_shards(app: web.Application) -> int:
    """How many logical shards there are."""
    postgres = app[MEMBER].stores.postgres
    return postgres.logical_shards if postgres is not None else app[SCENARIO].system.shards.logical


def required(store: S | None, name: str, component: str) -> S:
    """The address of a store that this component needs; raises SystemExit that names it."""
    if store is None:
        raise SystemExit(f"{component}: the settings have no address of {name}, which this component uses")
    return store
