"""One name has one meaning: of classes, of functions, of operations; and replaced names are not used again."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from core import operations
from core.operations import BACKGROUND, JOURNEYS, OPERATIONS
from tests.tidy.test_style import MODULES, ROOT, named

PRODUCT = [path for path in MODULES if path.relative_to(ROOT).parts[0] != "tests"]
#: Names that several packages give a class, with the reason. None so far.
SHARED_NAMES: Mapping[str, str] = {}
#: Identifiers that had many meanings or were metaphors, and their replacements.
REPLACED = {
    "told": "settings, options, published, text … by what it is",
    "Darkroom": "PhotoProcessor",
    "Workshop": "WorkerPool",
    "bench": "worker",
    "Shelf": "TrayCache",
    "Shelved": "CachedTray",
    "Telling": "TrayStory",
    "Owed": "StaleViewers, WaitingPhoto",
    "Wish": "LikeChange",
    "Ticket": "PendingLike",
    "Ward": "SupervisedProcess",
    "anew": "rebuilt, next, new",
    "dealt": "assigned, rebalances",
    "deed": "act",
    "looked_at": "checked",
    "mending": "rollback",
    "mends": "transient",
    "not_mended": "not_removed",
    "squeeze": "send",
    "heard": "started, announced",
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def class_names(module: ast.Module) -> Iterator[str]:
    """Names of the classes that a module defines at its top."""
    return (node.name for node in module.body if isinstance(node, ast.ClassDef))


def functions_called_of(module: ast.Module) -> Iterator[int]:
    """Lines of functions of a module that are called ``of``, which no search finds."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "of":
            yield node.lineno


def operation_literals(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines on which an operation's name stands as text instead of a constant of `core.operations`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and node.value in {*OPERATIONS, *JOURNEYS, *BACKGROUND}:
            yield node.lineno, str(node.value)


def identifiers(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Everything that a module names: variables, arguments, attributes, functions and classes."""
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name


def replaced(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines on which something has a name of `REPLACED`."""
    return ((line, name) for line, name in identifiers(module) if name.lstrip("_") in REPLACED)


def unexplained_imports(text: str) -> Iterator[int]:
    """Lines of imports inside functions without a comment there or above that says why."""
    lines = text.splitlines()
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            explained = False
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    around = "\n".join(lines[node.lineno - 2 : node.end_lineno])
                    explained = explained or "#" in around
                    if not explained:
                        yield node.lineno


def places(paths: Iterable[Path], find: object) -> list[str]:
    """What ``find`` yields of each module, as text with the module's path."""
    assert callable(find)
    return [f"{named(path)}: {found}" for path in paths for found in find(tree(path))]


def test_a_class_name_has_one_meaning() -> None:
    where: dict[str, list[Path]] = defaultdict(list)
    for path in PRODUCT:
        for name in class_names(tree(path)):
            where[name].append(path)
    twice = {
        name: [named(path) for path in paths]
        for name, paths in where.items()
        if len(paths) > 1 and name not in SHARED_NAMES
    }

    assert len(where) > 500
    assert twice == {}


def test_no_module_exports_a_function_called_of() -> None:
    assert places(PRODUCT, functions_called_of) == []


def test_operations_are_named_by_the_constants_of_core() -> None:
    outside = [path for path in PRODUCT if path.relative_to(ROOT).parts[0] != "core"]

    assert len(outside) > 200
    assert places(outside, operation_literals) == []


def test_replaced_words_do_not_come_back() -> None:
    assert places(PRODUCT, replaced) == []


#: Commands load what they need when they run, so that ``--help`` answers at once.
EAGER = [path for path in PRODUCT if path.relative_to(ROOT).parts[0] != "cli"]


@pytest.mark.parametrize("path", EAGER, ids=named)
def test_an_import_inside_a_function_says_why(path: Path) -> None:
    assert list(unexplained_imports(path.read_text(encoding="utf-8"))) == []


def test_every_operation_has_a_constant_with_its_name() -> None:
    for name in (*OPERATIONS, *JOURNEYS, *BACKGROUND):
        assert getattr(operations, name.replace(".", "_").upper()) == name
    assert len(OPERATIONS) > 20


def test_what_these_look_for_is_seen() -> None:
    module = ast.parse("class A:\n    pass\n\ndef of(told):\n    return feed.read('feed.read')\n")

    assert list(class_names(module)) == ["A"]
    assert list(functions_called_of(module)) == [4]
    assert list(operation_literals(module)) == [(5, "feed.read")]
    assert list(replaced(module)) == [(4, "told")]
    assert list(unexplained_imports("def f():\n    import a\n\ndef g():\n    import b  # heavy\n    import c\n")) == [2]
