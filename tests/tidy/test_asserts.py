"""Every test is certain to assert something: not only in a loop that may be empty, or below an `if`.

This is decided from the source: a loop over a literal is certain to run, one over a call's result is not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.tidy.test_style import MODULES, ROOT, named

#: Calls that iterate over all of their argument.
KEEP_LENGTH = frozenset({"enumerate", "zip", "sorted", "reversed", "list", "tuple", "set", "product", "pairwise"})
#: Calls that fail a test when their condition does not hold; `until` when it does not hold in time.
FAILS = frozenset({"pytest.raises", "pytest.warns", "pytest.fail", "until", "assert_allclose", "assert_array_equal"})
TESTS = [path for path in MODULES if path.name.startswith("test_")]

Function = ast.FunctionDef | ast.AsyncFunctionDef
Values = dict[str, ast.expr]


def is_filled(value: ast.expr, values: Mapping[str, ast.expr]) -> bool:
    """Whether the iterable is certain not to be empty."""
    match value:
        case ast.List() | ast.Tuple() | ast.Set():
            return any(not isinstance(part, ast.Starred) or is_filled(part.value, values) for part in value.elts)
        case ast.Dict():
            return bool(value.keys)
        case ast.Constant():
            return bool(value.value)
        case ast.Name() if value.id in values:
            rest = {name: bound for name, bound in values.items() if name != value.id}
            return is_filled(values[value.id], rest)
        case ast.Call(func=ast.Attribute(attr="items" | "values" | "keys" | "split" | "splitlines"), args=[]):
            return is_filled(value.func.value, values)
        case ast.Call(func=ast.Name(id="range")):
            return not (isinstance(value.args[0], ast.Constant) and value.args[0].value == 0 and len(value.args) == 1)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in KEEP_LENGTH:
            return all(is_filled(given, values) for given in value.args[:1] if not isinstance(given, ast.Starred))
        case ast.BinOp(op=ast.Add()):
            return is_filled(value.left, values) or is_filled(value.right, values)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            return all(not part.ifs and is_filled(part.iter, values) for part in value.generators)
    return False


def bound(body: Iterable[ast.stmt]) -> Values:
    """Names that are bound once, with their values."""
    values: Values = {}
    again: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                again.add(node.id) if node.id in values else values.update({node.id: ast.Constant(None)})
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                values[name] = value
    return {name: value for name, value in values.items() if name not in again}


def asserts(body: Iterable[ast.stmt], values: Mapping[str, ast.expr], helpers: frozenset[str]) -> bool:
    """Whether a statement asserts something in every run; ``helpers`` are functions that do so when called."""

    def inner(block: Iterable[ast.stmt]) -> bool:
        return asserts(block, values, helpers)

    for statement in body:
        match statement:
            case ast.Assert():
                return True
            case ast.With() | ast.AsyncWith():
                managers = [item.context_expr for item in statement.items]
                if any(called(manager) in FAILS for manager in managers) or inner(statement.body):
                    return True
            case ast.For() | ast.AsyncFor():
                if (is_filled(statement.iter, values) and inner(statement.body)) or inner(statement.orelse):
                    return True
            case ast.While(test=ast.Constant(value=True)):
                if inner(statement.body):
                    return True
            case ast.If():
                if inner(statement.body) and inner(statement.orelse):
                    return True
            case ast.Try():
                if inner(statement.body) or inner(statement.orelse) or inner(statement.finalbody):
                    return True
            case ast.Expr() | ast.Assign() | ast.AnnAssign() | ast.Return():
                if any(called(node) in helpers | FAILS for node in ast.walk(statement)):
                    return True
    return False


def called(node: ast.AST) -> str:
    """The name of what is called; of a method without its object."""
    while isinstance(node, ast.Await):
        node = node.value
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id="pytest"), attr=name)):
            return f"pytest.{name}"
        case ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def functions(tree: ast.Module) -> list[Function]:
    """Those of the module and of its classes."""
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterable[ast.Module]:
    """The tests' own modules from which this one takes names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            path = ROOT / (str(node.module).replace(".", "/") + ".py")
            if path.exists():
                yield parsed(path)


def unsure(tree: ast.Module, *others: ast.Module) -> list[str]:
    """Names of tests that may pass without having asserted anything."""
    everywhere = [*functions(tree), *(function for other in others for function in functions(other))]
    constants: Values = {name: value for module in (*others, tree) for name, value in bound(module.body).items()}
    helpers: frozenset[str] = frozenset()
    while True:  # a helper may assert through another
        more = {each.name for each in everywhere if asserts(each.body, constants | bound(each.body), helpers)}
        if more == helpers:
            break
        helpers = frozenset(more)
    return [each.name for each in functions(tree) if each.name.startswith("test_") and each.name not in helpers]


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_every_test_asserts_something_in_every_run(path: Path) -> None:
    assert unsure(parsed(path), *imported(parsed(path))) == []


def _asserts(body: str) -> bool:
    lines = "\n".join("    " + line for line in body.splitlines())
    return unsure(ast.parse(f"FILLED = (1, 2)\ndef holds(x):\n    assert x\ndef test_it(found):\n{lines}\n")) == []


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "for each in found: assert each",
        "for each in (): assert each",
        "for each in [each for each in FILLED if each > 2]: assert each",
        "for each in found: holds(each)",
        "if found: assert found > 1",
        "while found: assert found.pop()",
        "for name in FILLED:\n    for each in found: assert each",
        "wanted = [1]\nwanted = found\nfor each in wanted: assert each",
        "def inner():\n    assert found",
    ],
)
def test_a_test_that_may_pass_without_an_assert_is_seen(body: str) -> None:
    assert not _asserts(body)


@pytest.mark.parametrize(
    "body",
    [
        "assert found",
        "assert found\nfor each in found: assert each",
        "holds(found)",
        "with pytest.raises(ValueError): found()",
        "for each in (1, 2): assert each in found",
        "for index, each in enumerate(FILLED): assert each > index",
        "for number in range(3): assert number in found",
        "if found: assert found > 1\nelse: assert found is None",
        "try:\n    assert found\nfinally:\n    found.close()",
    ],
)
def test_a_test_that_asserts_in_every_run_is_let_pass(body: str) -> None:
    assert _asserts(body)
