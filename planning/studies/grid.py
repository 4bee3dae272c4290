"""Grids: one scenario with some fields set to each of several values, parsed again like a file.

A field is named as the file writes it (``system.fanout.threshold``, ``traffic.mix.feed.read``, ``faults[0].latency``),
and a value is text in the file's units, so the reader of scenarios reports what is wrong with either. Shares that must
add up to 100 % still do: those that are not set share the rest in their old proportions.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from core.errors import UserError
from core.scenario import Scenario, ScenarioError, explain, flat, parse
from core.scenario.units import ratio
from planning.studies.values import VALUES_MAX, ValueTextError, plain, spread

_INDEX: Final = re.compile(r"^(.*)\[(\d+)\]$")
#: Mappings of shares that add up to 100 %.
_SHARES: Final = (("system", "feed", "mix"), ("traffic", "mix"), ("traffic", "viral", "mix"))

Settings = tuple[tuple[str, str], ...]  # (field, value) as they were asked for
Steps = tuple[str | int, ...]


class GridError(UserError):
    """A field or a value that the scenario cannot have; the message names it and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One field and the values it takes."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """One point of the grid: its settings and the resulting scenario."""

    settings: Settings
    scenario: Scenario
    text: str

    @property
    def name(self) -> str:
        """The settings as text."""
        return ", ".join(f"{field}={value}" for field, value in self.settings) or "as the file says"


def axis(text: str) -> Axis:
    """Read ``field=values``, see `planning.studies.values.spread`; raises GridError."""
    field, equals, values = text.partition("=")
    if not equals or not field.strip():
        raise GridError(f"{text!r}: expected field=values, such as traffic.rate=10/s..100/s:10")
    try:
        return Axis(field=field.strip(), values=spread(values))
    except ValueTextError as error:
        raise GridError(f"{field.strip()}: {error}") from error


def points(text: str, axes: Sequence[Axis]) -> tuple[GridPoint, ...]:
    """Every combination of the axes' values in the scenario written in ``text``, the last axis fastest.

    Raises GridError for a field named twice, one that the scenario cannot have or more than `VALUES_MAX` combinations
    (before any is made), and ScenarioError where ``text`` itself is wrong.
    """
    names = [each.field for each in axes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GridError(f"{twice[0]}: expected each field once")
    count = math.prod(len(each.values) for each in axes)
    if count > VALUES_MAX:
        asked = " × ".join(f"{len(each.values):,} of {each.field}" for each in axes)
        raise GridError(f"{asked} are {count:,} settings: expected at most {VALUES_MAX:,}")
    base = parse(text)
    combined = itertools.product(*([(each.field, value) for value in each.values] for each in axes))
    return tuple(point(text, settings, base=base) for settings in combined)


def point(text: str, settings: Settings, *, base: Scenario | None = None) -> GridPoint:
    """The scenario of ``text`` with these fields set; raises GridError. ``base`` is ``text`` read, if it was."""
    if not settings:
        return GridPoint(settings=(), scenario=base or parse(text), text=text)
    data: Any = yaml.safe_load(text)
    whole = yaml.safe_load(explain(base or parse(text)))
    paths = [(field, value, _steps(whole, field)) for field, value in settings]
    for field, value, path in paths:
        _put(data, path, _read(field, value), field)
    for shares in _SHARES:
        _fill_up(data, whole, shares, [path for _, _, path in paths if path[: len(shares)] == shares])
    changed = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
    try:
        return GridPoint(settings=settings, scenario=parse(changed), text=changed)
    except ScenarioError as error:
        problems = "; ".join(f"{each.field}: found {each.found}; {each.expected}" for each in error.problems)
        asked = ", ".join(f"{field}={value}" for field, value in settings)
        raise GridError(f"with {asked} the scenario cannot be used: {problems}") from error


def value_of(scenario: Scenario, field: str) -> str | None:
    """The value of a field as a file writes it; None if the scenario has no such field."""
    whole = yaml.safe_load(explain(scenario))
    found: Any = whole
    for step in _steps(whole, field):
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            return None
    return None if isinstance(found, dict | list) else str(found)


def _read(field: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise GridError(f"{field}: {value!r} is no value of a scenario file") from error


def _steps(whole: Any, field: str) -> Steps:
    """The field's path: names may hold dots (``feed.read``), so at each level the longest known name is taken."""
    words: list[str | int] = []
    for word in field.split("."):
        match = _INDEX.match(word)
        words += [match[1], int(match[2])] if match else [word]
    path: list[str | int] = []
    here = whole
    while words:
        step, rest = words[0], words[1:]
        if isinstance(here, dict):
            for length in range(len(words), 1, -1):
                if all(isinstance(word, str) for word in words[:length]):
                    joined = ".".join(str(word) for word in words[:length])
                    if joined in here:
                        step, rest = joined, words[length:]
                        break
        path.append(step)
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        words = rest
    return tuple(path)


def _put(data: Any, path: Steps, value: Any, field: str) -> None:
    """Set a value in the file's data; what the file leaves to defaults on the way is made."""
    here = data
    for step, below in itertools.pairwise(path):
        if isinstance(here, dict) and here.get(step) is None:
            here[step] = [] if isinstance(below, int) else {}
        here = _into(here, step, field)
    last = path[-1]
    if not (isinstance(here, dict) and isinstance(last, str)):
        _into(here, last, field)
    here[last] = value


def _into(here: Any, step: str | int, field: str) -> Any:
    try:
        return here[step]
    except (KeyError, IndexError, TypeError) as error:
        raise GridError(f"{field}: the scenario has nothing at {step}") from error


def _fill_up(data: Any, whole: Any, shares: Steps, changed: Sequence[Steps]) -> None:
    """Scale the shares that were not set to what the others leave of 100 %."""
    names = {str(path[len(shares)]) for path in changed if len(path) == len(shares) + 1}
    if not names:
        return
    here, before = data, whole
    for step in shares:
        here, before = here[step], before.get(step, {})
    try:
        old = {name: ratio(value) for name, value in before.items()}
        taken = sum(ratio(here[name]) for name in names)
    except (ValueError, AttributeError):
        return  # the reader reports the invalid share
    others = {name: value for name, value in old.items() if name not in names}
    total = sum(others.values())
    if not others or total <= 0 or taken > 1:
        return  # the reader reports that they do not add up
    here.update({name: f"{plain((1.0 - taken) * value / total * 100)}%" for name, value in others.items()})


def differing(first: Scenario, second: Scenario) -> tuple[tuple[str, str | None, str | None], ...]:
    """Fields in which two scenarios differ, with the value of each; None where one has no such field."""
    ours, theirs = flat(first), flat(second)
    names = list(dict.fromkeys([*ours, *theirs]))
    return tuple((name, ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name))
