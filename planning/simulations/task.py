"""One simulation of a study: what it is, which key its result has, and what a worker does with it.

Every setting has the same seeds. Because a random number is a function of (seed, stream, entity, visit), two settings
under one seed see the same arrivals and the same demands, and their difference is not noise (common random numbers).
Where a study draws demands, each replication but the first has the CPU demands of one possible calibration
(`core.profile.drawn`), the same for all settings, so that the error of calibration is in every interval.

A result is a function of scenario, seed, profile, code and engine, so its key is a digest of these; code is what
lies in `core`, `sim` and the parts of `planning` that read figures and bills off a simulation, whether it was committed
or not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

from core import streams
from core.profile import Profile, decode, drawn, encode, has_errors
from core.scenario import Scenario, explain, parse
from planning.simulations.readings import Reading, read
from records.provenance import ROOT
from sim.simulate import EngineName, simulate

_CODE: Final = ("core", "sim", "planning/cost", "planning/simulations")
#: Requests of one run from which a study uses the compiled engine.
_COMPILED_FROM: Final = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all simulations of a study share; it is sent to the workers."""

    profile: bytes
    engine: EngineName = "auto"
    draws_demands: bool = False

    @property
    def digest(self) -> str:
        """A name for all that a result depends on besides scenario and seed."""
        return _digest(self.profile, code().encode(), self.engine.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationTask:
    """One simulation."""

    key: str
    name: str  # for people
    text: str  # the whole scenario
    seed: int
    drawn: bool = False  # whether its demands are drawn from the error of their calibration


def setup(
    profile: Profile, engine: EngineName = "auto", *, scenario: Scenario | None = None, draws_demands: bool = False
) -> Setup:
    """What all simulations with ``profile`` share. ``draws_demands`` acts where the profile has errors.

    With ``auto``, a study of a ``scenario`` with enough requests uses the compiled engine, which each worker loads once
    for many runs.
    """
    if engine == "auto" and scenario is not None:
        load = scenario.traffic
        if load.rate_per_second * (load.warm_up_seconds + load.duration_seconds) >= _COMPILED_FROM:
            engine = "compiled"
    return Setup(profile=encode(profile), engine=engine, draws_demands=draws_demands and has_errors(profile))


def seed_of(seed: int, replication: int) -> int:
    """The seed of a replication of a scenario with ``seed``: its own for the first, so that this is what `windtunnel
    simulate` shows, and one drawn from it for each other."""
    return streams.named(seed, "studies.replication").bits(replication) >> 1 if replication else seed


def tasks(
    scenario: Scenario, name: str, replications: range, shared: Setup, *, seed: int | None = None
) -> tuple[SimulationTask, ...]:
    """The replications of one setting; ``seed`` replaces the scenario's own if two scenarios are paired."""
    text = explain(scenario)
    base = scenario.seed if seed is None else seed
    found = []
    for replication in replications:
        own, drawn = seed_of(base, replication), shared.draws_demands and replication > 0
        key = _digest(text.encode(), str(own).encode(), shared.digest.encode(), b"drawn" if drawn else b"")
        label = f"{name} (replication {replication})"
        found.append(SimulationTask(key=key, name=label, text=text, seed=own, drawn=drawn))
    return tuple(found)


def work(task: SimulationTask, shared: Setup) -> Reading:
    """Simulate and read; raises what the model raises."""
    scenario = replace(_scenario(task.text), seed=task.seed)
    return read(scenario, simulate(scenario, profile_of(task, shared), engine=shared.engine))


def profile_of(task: SimulationTask, shared: Setup) -> Profile:
    """The profile of a task, with its own demands where it has some."""
    profile = _profile(shared.profile)
    return drawn(profile, task.seed) if task.drawn else profile


@cache
def code() -> str:
    """A digest of the code that a simulation runs through."""
    found = hashlib.blake2b(digest_size=10)
    for folder in _CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.relative_to(ROOT).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def _digest(*parts: bytes) -> str:
    found = hashlib.blake2b(digest_size=12)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()


@lru_cache(maxsize=4)
def _scenario(text: str) -> Scenario:
    return parse(text)


@lru_cache(maxsize=2)
def _profile(data: bytes) -> Profile:
    return decode(data)
