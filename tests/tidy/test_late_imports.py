"""Imports inside functions are for start-up time, never to avoid an import cycle; each is listed with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.tidy.test_style import MODULES, ROOT

#: Libraries that take 50 ms to 2 s to load, so that only the commands that need them wait for them.
SLOW_LIBRARIES = {
    "SALib", "aiokafka", "boto3", "botocore", "dask", "distributed", "jinja2", "markupsafe", "optuna",
    "prometheus_client", "rich", "scipy", "vl_convert",
}  # fmt: skip
#: Our own modules that load others late, and why.
LATE = {
    "chaos.journal": "pydantic is slow to import, and a warden does not need it",
    "chaos.orders": "pydantic is slow to import, and a warden does not need it",
    "lab.pair": "the simulation is shown before what measures is loaded",
    "lab.runnable": "commands that only read a scenario need neither the model nor the stack",
    "planning.simulations.engines": "numba takes a second to load, and is not needed where the code is kept",
    "sim.simulate": "loading the compiled engine takes a second, and a short run does not need it",
    "stack.install": "the classes of servers are needed where one is installed only",
}


def late_imports(text: str) -> Iterator[str]:
    """Modules that are imported inside a function of a module's text."""
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (each.name for each in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module


def test_imports_inside_functions_are_listed_with_their_reason() -> None:
    wrong, used = [], set()
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name.startswith(("cli.", "tests.")):  # every command loads its own modules when it is called
            continue
        found = {
            each
            for each in late_imports(path.read_text(encoding="utf-8"))
            if each.partition(".")[0] not in SLOW_LIBRARIES
        }
        used |= {name} if found else set()
        wrong += [f"{name} imports {each} inside a function" for each in sorted(found) if name not in LATE]

    assert wrong == []
    assert used == set(LATE)


def test_an_import_inside_a_function_is_found() -> None:
    assert list(late_imports("import a\n\ndef f():\n    from b.c import d\n    import e\n")) == ["b.c", "e"]
