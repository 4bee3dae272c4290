"""Where the services' code waits inside a stage, the model's flow does, and nowhere else.

A step queues again at its event loop only after a wait, so a stage that waits in one of them alone has another latency.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core import operations
from core.scenario import parse
from sim.model import flow
from sim.model.components import all_flows

ROOT: Final = Path(__file__).parents[2]
#: The body of a request has come with its headers, so reading it does not wait.
_READ_AT_ONCE: Final = {"body.read", "request.read"}


def _in_the_code() -> Iterator[tuple[str, str, bool]]:
    """Operation, stage, and whether the code waits in it."""
    for path in sorted((ROOT / "services").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {each.name: each for each in tree.body if isinstance(each, ast.AsyncFunctionDef)}
        for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
            if ast.unparse(call.func) == "route" and ast.unparse(call.args[0]).startswith("operations."):
                operation = getattr(operations, ast.unparse(call.args[0]).removeprefix("operations."))
                for name, waits in _stages(functions[ast.unparse(call.args[1])], functions):
                    yield operation, name, waits


def _stages(handler: ast.AST, functions: dict[str, ast.AsyncFunctionDef]) -> Iterator[tuple[str, bool]]:
    for node in ast.walk(handler):
        if isinstance(node, ast.With) and ast.unparse(node.items[0].context_expr).startswith("stage("):
            call = node.items[0].context_expr
            assert isinstance(call, ast.Call)
            assert isinstance(call.args[1], ast.Constant)
            yield str(call.args[1].value), any(_waits(each) for part in node.body for each in ast.walk(part))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in functions:
            yield from _stages(functions[ast.unparse(node.func)], functions)


def _waits(node: ast.AST) -> bool:
    if isinstance(node, ast.AsyncWith | ast.AsyncFor):
        return True
    return isinstance(node, ast.Await) and not (
        isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in _READ_AT_ONCE
    )


def _in_the_flows() -> Iterator[tuple[str, str, bool]]:
    waiting = (flow.RemoteCall, flow.Hold, flow.Wait, flow.Commit)
    for operation, page in all_flows(parse("scenario: usual")).items():
        for step in flow.walk(flow.steps(page.front, page.behind)):
            if isinstance(step, flow.Stage):
                yield operation, step.name, any(isinstance(each, waiting) for each in flow.walk(step.inner))


def test_a_stage_waits_in_the_model_where_it_does_in_the_services() -> None:
    code, flows = dict[tuple[str, str], bool](), dict[tuple[str, str], bool]()
    for found, rows in ((code, _in_the_code()), (flows, _in_the_flows())):
        for operation, name, waits in rows:
            found[operation, name] = found.get((operation, name), False) or waits
    both = code.keys() & flows.keys()
    assert len(both) >= 30
    assert {each: code[each] for each in sorted(both)} == {each: flows[each] for each in sorted(both)}
    assert {code[each] for each in both} == {True, False}
