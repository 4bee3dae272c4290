"""Reads a scenario file; reports all errors at once, each with file, line, field, found and expected value."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError

from core.scenario import demand, design, fault, faults, intent, model, placement, regions, shards, wording
from core.scenario.fields import written_name
from core.scenario.idle import idle
from core.scenario.impossible import FieldPath, impossible
from core.scenario.model import Scenario
from core.scenario.retired import RENAMED
from core.scenario.units import in_file

_ADAPTER: TypeAdapter[Scenario] = TypeAdapter(Scenario)
#: The C parser is ten times as fast.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Longest file, and the most values in it, with those of aliases counted wherever they stand.
CHARACTERS_MAX: Final = 2**18
VALUES_MAX: Final = 50_000
#: Wrong fields that are examined, and that are shown.
_EXAMINED_MAX: Final = 200
PROBLEMS_MAX: Final = 19
#: Modules with the classes that a scenario is made of.
_PARTS: Final = (model, fault, faults, placement, regions, shards, demand, intent, design)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One wrong field."""

    file: str
    line: int
    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: found {self.found}; {self.expected}"


class ScenarioError(ValueError):
    """A scenario that cannot be used; ``problems`` are the first `PROBLEMS_MAX` of ``count``, in the file's order."""

    def __init__(self, problems: tuple[FieldProblem, ...], *, count: int | None = None):
        self.problems = problems[:PROBLEMS_MAX]
        self.count = len(problems) if count is None else count
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each problem, and one for those that are left out."""
        left = self.count - len(self.problems)
        return (*map(str, self.problems), *([f"… and {left:,} more"] if left else []))


def parse(text: str, *, file: str = "scenario") -> Scenario:
    """Read a scenario from its text; raises ScenarioError."""
    if len(text) > CHARACTERS_MAX:
        long = f"{len(text):,} characters"
        raise ScenarioError((_problem(file, 1, "", long, f"expected at most {CHARACTERS_MAX:,} in a scenario"),))
    try:
        node = _composed(text)
        if node is None:
            raise ScenarioError((_problem(file, 1, "", "nothing", "expected a scenario"),))
        if _values(node, {}) > VALUES_MAX:
            expected = f"expected at most {VALUES_MAX:,} in a scenario, each alias counted with all that it stands for"
            raise ScenarioError((_problem(file, 1, "", "too many values", expected),))
        strange = next(_strange_keys(node), None)
        if strange is not None:
            raise ScenarioError(
                (_problem(file, strange, "", "a list or mapping as a name", "expected a field's name"),)
            )
        lines = dict(_lines(node, ()))
        data = yaml.load(text, Loader=_LOADER)  # either is a safe loader
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
    except RecursionError as error:
        raise ScenarioError((_problem(file, 1, "", "a list or mapping that holds itself", "expected YAML"),)) from error
    except ValueError as error:  # an invalid date
        raise ScenarioError((_problem(file, 1, "", str(error), "expected YAML"),)) from error
    doubled = [_problem(file, line, key, "the field twice", "expected it once") for key, line in _doubled(node)]
    if doubled:
        raise ScenarioError(tuple(doubled))
    if not isinstance(data, dict):
        raise ScenarioError((_problem(file, 1, "", _shown(data), "expected fields, such as `scenario: name`"),))
    try:
        scenario = _ADAPTER.validate_python(data, context=in_file)
    except ValidationError as error:
        items = error.errors(include_url=False, include_context=True, include_input=False)
        examined = _distinct(lines, items[:_EXAMINED_MAX])
        found = sorted(
            (_of_pydantic(file, lines, data, dict(item)) for item in examined), key=lambda problem: problem.line
        )
        more = max(0, len(items) - _EXAMINED_MAX)
        raise ScenarioError(tuple(found), count=len(found) + more) from error
    wrong = [
        _problem(file, _line_of(lines, path), _dotted(path), _shown(_value_at(data, path)), expected)
        for path, expected in impossible(scenario)
    ]
    if wrong:
        raise ScenarioError(tuple(sorted(wrong, key=lambda problem: problem.line)))
    return scenario


def _composed(text: str) -> yaml.Node | None:
    """The document's tree. Errors are those of the parser in Python, which says better what it found."""
    try:
        return yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)


def line_of(text: str, path: FieldPath) -> int:
    """Line number (from 1) of a field in a scenario's text that `parse` has accepted, or of the part that contains
    it."""
    node = yaml.compose(text, Loader=_LOADER)
    return _line_of(dict(_lines(node, ())), path) if node is not None else 1


def notes(scenario: Scenario, text: str, *, file: str) -> tuple[str, ...]:
    """Warnings about a scenario that `parse` has read from ``text``: fields with an old name, or without effect."""
    data = yaml.load(text, Loader=_LOADER)  # either is a safe loader
    return (
        *(
            f"{file}:{line_of(text, path)}: {_dotted(path)} is called {RENAMED[str(path[-1])]} now; "
            "the next release will refuse the old name"
            for path in _with_old_names(data)
        ),
        *(
            f"{file}:{line_of(text, path)}: {_dotted(path)} has no effect, leave it out: {why}"
            for path, why in idle(scenario, data)
        ),
    )


def _with_old_names(data: Mapping[str, Any]) -> Iterator[FieldPath]:
    """Fields of `retired.RENAMED` in a scenario's file: of the scenario, and of the figures of its design."""
    stated = (data.get("design") or {}).get("stated") or {}
    parts: list[tuple[FieldPath, Mapping[str, Any]]] = [((), data)]
    parts += [(("design", "stated", name), figure) for name, figure in stated.items()]
    for path, part in parts:
        yield from ((*path, name) for name in RENAMED if name in part)


def explain(scenario: Scenario) -> str:
    """The complete scenario as YAML, including defaults; `parse` reads it back to an equal value."""
    data = _ADAPTER.dump_python(scenario, mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def flat(scenario: Scenario) -> dict[str, str]:
    """Every field of ``scenario`` by its name in the file, defaults included."""
    return dict(_flat(yaml.load(explain(scenario), Loader=_LOADER), ""))


def _flat(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [each for key, inner in value.items() for each in _flat(inner, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [each for index, inner in enumerate(value) for each in _flat(inner, f"{name}[{index}]")]
    return [(name, str(value))]


def _problem(file: str, line: int, field: str, found: str, expected: str) -> FieldProblem:
    return FieldProblem(file=file, line=line, field=field or "file", found=found, expected=expected)


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


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, with those of aliases wherever they stand; raises RecursionError for one that
    holds itself. ``known`` keeps the numbers of nodes, which aliases share."""
    if id(node) not in known:
        known[id(node)] = 0  # while it is being counted
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            inner = [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        known[id(node)] = 1 + sum(_values(each, known) for each in inner)
    elif not known[id(node)]:
        raise RecursionError
    return known[id(node)]


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


def _path_of(lines: Mapping[FieldPath, int], error: Mapping[str, Any]) -> FieldPath:
    # pydantic adds the name of a union's member or of a function to the path: keep only the steps that the file has
    path: FieldPath = ()
    for step in error["loc"]:
        if (*path, step) in lines or (error["type"] == "missing" and step == error["loc"][-1]):
            path = (*path, step)
    return path


def _distinct(lines: Mapping[FieldPath, int], errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without the errors of a union's other members if one member has matched more of the value."""
    paths = [_path_of(lines, error) for error in errors]
    kept = list[Mapping[str, Any]]()
    for path, error in zip(paths, errors, strict=True):
        understood = any(len(other) > len(path) and other[: len(path)] == path for other in paths)
        is_class = error["type"] == "dataclass_type" and paths.count(path) > 1
        if not (understood or is_class):
            kept.append(error)
    return kept


def _of_pydantic(file: str, lines: Mapping[FieldPath, int], data: Any, error: Mapping[str, Any]) -> FieldProblem:
    path = _path_of(lines, error)
    kind = error["type"]
    if kind == "unexpected_keyword_argument":
        name, known = str(path[-1]) if path else "", sorted(_known_fields())
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        hint = f"; did you mean {close[0]}?" if close and name not in known else ""
        unknown = "a field that does not belong here" if name in known else "an unknown field"
        return _problem(file, _line_of(lines, path), _dotted(path), unknown, f"expected no field of this name{hint}")
    if kind == "missing":
        return _problem(
            file, _line_of(lines, path), _dotted(path), "nothing", "expected a value: this field is required"
        )
    return _problem(file, _line_of(lines, path), _dotted(path), _shown(_value_at(data, path)), wording.expected(error))


def _known_fields() -> set[str]:
    named = [value for part in _PARTS for value in vars(part).values()]
    classes = [value for value in named if isinstance(value, type) and dataclasses.is_dataclass(value)]
    return {written_name(each.name) for kind in classes for each in dataclasses.fields(kind)}
