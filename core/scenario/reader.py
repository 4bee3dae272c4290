"""Reads a scenario file; everything wrong with it is told at once, each with file, line, field, found and expected."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from core.names import LINKS, Component, Server
from core.operations import JOURNEYS, OPERATIONS
from core.scenario import model
from core.scenario.model import Expectation, Fault, Scenario
from core.scenario.units import in_file

FieldPath = tuple[str | int, ...]
_ADAPTER: TypeAdapter[Scenario] = TypeAdapter(Scenario)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One wrong field."""

    file: str
    line: int
    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: found {self.found}; {self.expected}"


class ScenarioError(ValueError):
    """A scenario that cannot be used; ``problems`` are in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]):
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def read(path: Path) -> Scenario:
    """Read the scenario at ``path``; raises ScenarioError, or OSError when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(
            (_problem(str(path), 1, "", "bytes that are no text", "expected text in UTF-8"),)
        ) from error
    return parse(text, file=str(path))


def parse(text: str, *, file: str = "scenario") -> Scenario:
    """Read a scenario from its text; raises ScenarioError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise ScenarioError((_problem(file, 1, "", "nothing", "expected a scenario"),))
        strange = next(_strange_keys(node), None)
        if strange is not None:
            raise ScenarioError(
                (_problem(file, strange, "", "a list or mapping as a name", "expected a field's name"),)
            )
        lines = dict(_lines(node, ()))
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError((_problem(file, line, "", str(error.problem), "expected YAML"),)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ScenarioError(
            (_problem(file, line, "", f"the character {error.character:#x}", "expected text"),)
        ) from error
    except ScenarioError:
        raise
    except (ValueError, RecursionError) as error:  # a date that is none, a list that holds itself
        raise ScenarioError((_problem(file, 1, "", str(error), "expected YAML"),)) from error
    doubled = [_problem(file, line, key, "the field twice", "expected it once") for key, line in _doubled(node)]
    if doubled:
        raise ScenarioError(tuple(doubled))
    if not isinstance(data, dict):
        raise ScenarioError((_problem(file, 1, "", _shown(data), "expected fields, such as `scenario: name`"),))
    try:
        scenario = _ADAPTER.validate_python(data, context=in_file)
    except ValidationError as error:
        found = [_of_pydantic(file, lines, data, dict(item)) for item in error.errors()]
        raise ScenarioError(tuple(sorted(found, key=lambda problem: problem.line))) from error
    wrong = [
        _problem(file, _line_of(lines, path), _dotted(path), _shown(_value_at(data, path)), expected)
        for path, expected in _impossible(scenario)
    ]
    if wrong:
        raise ScenarioError(tuple(sorted(wrong, key=lambda problem: problem.line)))
    return scenario


def explain(scenario: Scenario) -> str:
    """The whole scenario as YAML, defaults included; `parse` reads it back to an equal value."""
    data = _ADAPTER.dump_python(scenario, mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def _problem(file: str, line: int, field: str, found: str, expected: str) -> Problem:
    return Problem(file=file, line=line, field=field or "file", found=found, expected=expected)


def _lines(node: yaml.Node, path: FieldPath) -> Iterator[tuple[FieldPath, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value)
            yield here, key.start_mark.line + 1
            for inner in _lines(value, here):
                if inner[0] != here:
                    yield inner
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index))


def _strange_keys(node: yaml.Node) -> Iterator[int]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                yield key.start_mark.line + 1
            yield from _strange_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _strange_keys(value)


def _doubled(node: yaml.Node) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield str(key.value), key.start_mark.line + 1
            seen.add(key.value)
            yield from _doubled(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value)


def _line_of(lines: Mapping[FieldPath, int], path: FieldPath) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _value_at(data: Any, path: FieldPath) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _dotted(path: FieldPath) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _of_pydantic(file: str, lines: Mapping[FieldPath, int], data: Any, error: dict[str, Any]) -> Problem:
    # pydantic adds the name of a union's member or of a function to the path: keep only the steps that the file has
    path: FieldPath = ()
    for step in error["loc"]:
        if (*path, step) in lines or (error["type"] == "missing" and step == error["loc"][-1]):
            path = (*path, step)
    kind = error["type"]
    if kind == "unexpected_keyword_argument":
        close = difflib.get_close_matches(str(path[-1]) if path else "", sorted(_known_fields()), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return _problem(
            file, _line_of(lines, path), _dotted(path), "an unknown field", f"expected none of this name{hint}"
        )
    if kind == "missing":
        return _problem(
            file, _line_of(lines, path), _dotted(path), "nothing", "expected a value: this field is required"
        )
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be", "expected it to be")
    return _problem(file, _line_of(lines, path), _dotted(path), _shown(_value_at(data, path)), message)


def _known_fields() -> set[str]:
    classes = [value for value in vars(model).values() if isinstance(value, type) and dataclasses.is_dataclass(value)]
    return {model.written_name(each.name) for kind in classes for each in dataclasses.fields(kind)}


def _impossible(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    """Fields that are each well formed and cannot be together."""
    yield from _impossible_traffic(scenario)
    yield from _impossible_system(scenario)
    for index, fault in enumerate(scenario.faults):
        yield from _impossible_fault(scenario, ("faults", index), fault)
    for name, expectation in scenario.expect.items():
        if name == "recovers":
            if isinstance(expectation, Expectation):
                yield ("expect", name), "expected a time, such as within 5s"
        elif name not in OPERATIONS:
            yield ("expect", name), f"expected an operation{_near(name, tuple(OPERATIONS))}, or recovers"
        elif not isinstance(expectation, Expectation):
            yield ("expect", name), "expected limits, such as {p95: < 300ms}"
    if scenario.drill is not None:
        for name in scenario.drill.abort:
            if name not in OPERATIONS:
                yield ("drill", "abort", name), f"expected an operation{_near(name, tuple(OPERATIONS))}"


def _near(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f", one of {', '.join(known)}"


def _impossible_mix(path: FieldPath, mix: Mapping[str, float]) -> Iterator[tuple[FieldPath, str]]:
    acts = tuple(name for name in OPERATIONS if name not in ("object.put",)) + tuple(JOURNEYS)
    for name in mix:
        if name not in acts:
            yield (*path, name), f"expected an operation{_near(name, acts)}"
    total = sum(mix.values())
    if abs(total - 1) > 1e-9:
        yield path, f"expected shares that add up to 100%, these add up to {total * 100:.6g}%"


def _impossible_traffic(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    traffic = scenario.traffic
    yield from _impossible_mix(("traffic", "mix"), traffic.mix_ratio)
    if traffic.viral is not None:
        viral = traffic.viral
        yield from _impossible_mix(("traffic", "viral", "mix"), viral.mix_ratio)
        if viral.at_seconds >= traffic.duration_seconds:
            yield ("traffic", "viral", "at"), f"expected a time before the end, {traffic.duration_seconds:g}s"
        if viral.author.followers >= scenario.population.people:
            yield ("traffic", "viral", "author", "followers"), "expected fewer followers than there are people"


def _impossible_system(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    system, people = scenario.system, scenario.population.people
    if scenario.population.follows.maximum >= people:
        yield ("population", "follows", "maximum"), f"expected fewer than the {people} people"
    if scenario.population.follows.mean > scenario.population.follows.maximum:
        yield ("population", "follows", "mean"), "expected no more than the maximum"
    shares = sum(region.people_ratio for region in system.regions.values())
    if abs(shares - 1) > 1e-9:
        yield (
            ("system", "regions"),
            f"expected shares of people that add up to 100%, these add up to {shares * 100:.6g}%",
        )
    mix = system.feed.mix
    total = mix.followed_ratio + mix.recommended_ratio + mix.ads_ratio
    if abs(total - 1) > 1e-9:
        yield ("system", "feed", "mix"), f"expected shares that add up to 100%, these add up to {total * 100:.6g}%"
    if system.shards.physical > system.shards.logical:
        yield ("system", "shards", "physical"), f"expected no more than the {system.shards.logical} logical shards"
    for name in system.gateway.limits:
        if name not in OPERATIONS:
            yield ("system", "gateway", "limits", name), f"expected an operation{_near(name, tuple(OPERATIONS))}"
    placed = [component for members in system.placement.processes.values() for component in members]
    for component in Component:
        if placed.count(component) != 1:
            yield (
                ("system", "placement", "processes"),
                f"expected {component} in one process, it is in {placed.count(component)}",
            )


def _processes(scenario: Scenario) -> tuple[str, ...]:
    system = scenario.system
    names: list[str] = [name for name in Server if name is not Server.POSTGRES]
    names += [f"{Server.POSTGRES}_{index}" for index in range(system.shards.physical)]
    for name, members in system.placement.processes.items():
        count = system.feed.instances if Component.FEED in members else 1
        names += [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
    return tuple(str(name) for name in names)


def _impossible_fault(scenario: Scenario, path: FieldPath, fault: Fault) -> Iterator[tuple[FieldPath, str]]:
    if len(fault.kinds()) != 1:
        yield path, "expected one of latency, bandwidth, timeout, reset, down, action"
        return
    if (fault.link is None) == (fault.process is None):
        yield path, "expected either a link or a process"
        return
    if (fault.action is None) != (fault.process is None):
        yield path, "expected an action (kill, pause, restart) with a process, and a toxic with a link"
    if fault.link is not None and fault.link not in LINKS:
        yield (*path, "link"), f"expected a link{_near(fault.link, LINKS)}"
    if fault.process is not None:
        processes = _processes(scenario)
        if fault.process not in processes:
            yield (*path, "process"), f"expected a process{_near(fault.process, processes)}"
    if fault.action != "kill" and fault.for_seconds <= 0:
        yield (*path, "for"), "expected how long it lasts, such as 10s"
    if fault.end_seconds > scenario.traffic.duration_seconds:
        yield (*path, "at"), f"expected it to be over by the end of the traffic, {scenario.traffic.duration_seconds:g}s"
