"""Every module of the product is used by the product: what only tests import belongs to the tests (`tests/oracles`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.test_style import FOLDERS, MODULES, ROOT

#: Modules that are started or loaded by name instead of being imported, and what does so.
ENTRIES = {
    "chaos.warden": "python -m, by chaos",
    "dashboards.app": "streamlit run",
    "dashboards.launch": "python -m, by windtunnel dashboard",
    "loadtest.drive": "python -m, by lab.load",
    "loadtest.locustfile": "locust -f, by hand",
    "sim.network": "whoever writes a model of their own (docs/MODEL.md)",
    "stack.compose": "python -m, writes docker-compose.yml",
}
#: Their modules are loaded by the name of a command and of a service.
LOADED_BY_NAME = ("cli.", "services.")


def name_of(path: Path) -> str:
    """A module's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(text: str) -> Iterator[str]:
    """Names that a module's text imports: modules, and what is taken from them."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def unused(texts: dict[str, str]) -> set[str]:
    """Modules of the product with code in them that no other module of the product imports."""
    product = {name: text for name, text in texts.items() if not name.startswith("tests")}
    wanted = {target for name, text in product.items() for target in imported(text) if target != name}
    return {
        name
        for name, text in product.items()
        if name not in wanted
        and name not in ENTRIES
        and not name.startswith(LOADED_BY_NAME)
        and not name.endswith("__main__")
        and len(ast.parse(text).body) > 1  # a package that only says what it is has no importer
    }


def test_no_module_of_the_product_is_used_by_tests_only() -> None:
    texts = {name_of(path): path.read_text(encoding="utf-8") for path in MODULES}

    assert set(FOLDERS) <= {name.partition(".")[0] for name in texts}
    assert unused(texts) == set()
    assert not {name for name in ENTRIES if name not in texts}


def test_a_module_that_only_tests_use_is_seen() -> None:
    code = '"""Says what it is."""\n\nVALUE = 1\n'
    texts = {"sim.a": code, "sim.b": f"{code}from sim import a\n", "lab.c": "import sim.b\n\nVALUE = 1\n"}

    assert unused(texts) == {"lab.c"}
    assert unused({**texts, "tests.test_c": "from lab import c\n"}) == {"lab.c"}
    assert unused({**texts, "stack.d": "from lab.c import VALUE\n\nD = VALUE\n"}) == {"stack.d"}
