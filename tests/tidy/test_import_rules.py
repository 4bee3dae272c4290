"""The import rules hold for the repository, and each of them fails when it is deliberately violated."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "core", "records", "present", "services", "stack", "sim", "loadtest", "chaos", "planning", "lab", "dashboards",
    "cli",
)  # fmt: skip

#: Beginning of a contract's name → the module to change, and the import that violates the contract.
VIOLATIONS = {
    "the whole": ("stack/plan.py", "import services.kit.clock"),
    "core is the floor": ("core/ids.py", "import asyncio"),
    "locust and gevent": ("services/kit/clock.py", "import gevent"),
    "streamlit lives": ("lab/__init__.py", "import streamlit"),
    "services stand on the chassis": ("services/graph/store.py", "import services.auth.rules"),
    "inside a service": ("services/graph/rules.py", "import services.graph.store"),
    "inside sim": ("sim/model/flow.py", "import sim.results.laws"),
    "inside the model": ("sim/model/flow.py", "import sim.model.prepared"),
    "inside planning": ("planning/cost/prices.py", "import planning.plan.brief"),
    "inside a plan": ("planning/plan/demand/workload.py", "import planning.plan.brief"),
    "inside a study": ("planning/sweep/study.py", "import planning.sweep.page"),
    "inside a breakpoint study": ("planning/breakpoint/search.py", "import planning.breakpoint.scenes"),
    "inside lab": ("lab/sampler.py", "import lab.pair"),
    "rules of a service": ("services/auth/rules/accounts.py", "import aiohttp"),
}


def lint(tree: Path) -> tuple[int, str]:
    """Exit code and output of lint-imports over a tree, as one line of words."""
    command = Path(sys.executable).parent / "lint-imports"
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [command, "--no-cache"], cwd=tree, capture_output=True, text=True, timeout=240, env=environment, check=False
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository."""
    target = tmp_path_factory.mktemp("house")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def test_the_house_keeps_its_import_rules(tree: Path) -> None:
    code, said = lint(tree)

    assert code == 0, said
    assert "0 broken" in said


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_deliberate_violation_fails_and_names_the_contract(tree: Path, contract: str) -> None:
    module, violation = VIOLATIONS[contract]
    spoilt = tree / module
    text = spoilt.read_text(encoding="utf-8")
    spoilt.write_text(f"{text}\n{violation}\n", encoding="utf-8")
    try:
        code, said = lint(tree)
    finally:
        spoilt.write_text(text, encoding="utf-8")

    assert code != 0
    assert re.search(rf"{re.escape(contract)}[^.]*? BROKEN", said), said


def test_a_room_with_another_name_fails(tree: Path) -> None:
    room = tree / "services" / "graph" / "helpers.py"
    room.write_text('"""A room that the house does not know."""\n', encoding="utf-8")
    try:
        code, said = lint(tree)
    finally:
        room.unlink()

    assert code != 0
    assert "services.graph.helpers" in said


def test_every_contract_has_a_violation_here() -> None:
    names = re.findall(
        r'\[\[tool\.importlinter\.contracts\]\]\nname = "([^"]+)"', (ROOT / "pyproject.toml").read_text()
    )

    assert {next((known for known in VIOLATIONS if name.startswith(known)), name) for name in names} == set(VIOLATIONS)
