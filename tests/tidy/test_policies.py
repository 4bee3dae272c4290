"""Decisions are shared: each policy is called by the services and by the model, or a test checks a real server.

A policy that neither holds for decides about what the stack cannot start. Then the stack refuses what asks for it.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from core.scenario import parse
from stack import unsupported

ROOT = Path(__file__).parents[2]
POLICIES = sorted(path.stem for path in (ROOT / "core" / "policies").glob("*.py") if path.stem != "__init__")
#: Folders of the services and of the model.
REAL = ("services", "stack")
MODELLED = ("sim", "planning")
#: Decisions that a third-party server takes for us: which server, and the test that checks it against the policy.
SERVERS = {
    "balance": ("HAProxy's leastconn", "tests/stack/test_gateway_policies.py"),
    "partition": ("Kafka's partitioner and its groups", "tests/service/kit/test_partitions.py"),
    "photo": ("the limit of an upload, in the object store's front", "tests/stack/test_front.py"),
    "window": ("HAProxy's tables", "tests/stack/test_gateway_policies.py"),
}
_HOST = "placement: {hosts: {a: {cores: 1, count: 2, runs: [postgres]}}}"
#: Decisions about what one machine does not have: a part of ``system`` that needs them, and the name by which the
#: stack refuses it.
REFUSED = {
    "geo": ("regions: {eu: {people: 40%}, us: {people: 60%}}", "system.regions"),
    "hot_key": ("redis: {nodes: 2}", "system.redis.nodes"),
    "replica": (f"shards: {{replicas: 1}}, {_HOST}", "system.shards.replicas"),
}


@cache
def imported(path: Path) -> frozenset[str]:
    """Modules, and names in modules, that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return frozenset(found)


def callers(policy: str, folders: tuple[str, ...]) -> list[str]:
    """Files below ``folders`` that import the policy, or another policy that stands on it."""
    wanted = {f"core.policies.{policy}"}
    others = {f"core.policies.{each}": ROOT / "core" / "policies" / f"{each}.py" for each in POLICIES}
    while more := {name for name, path in others.items() if wanted & imported(path)} - wanted:
        wanted |= more
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [str(path.relative_to(ROOT)) for path in paths if wanted & imported(path)]


def functions() -> list[tuple[str, str]]:
    """Public functions and classes of policies."""
    return [
        (policy, node.name)
        for policy in POLICIES
        for node in ast.parse((ROOT / "core" / "policies" / f"{policy}.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


def test_the_lists_here_name_existing_policies_only() -> None:
    assert len(POLICIES) > 10
    assert (SERVERS.keys() | REFUSED.keys()) <= set(POLICIES)
    assert not SERVERS.keys() & REFUSED.keys()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_called_on_both_sides_or_held_to_a_server_or_refused(policy: str) -> None:
    real, modelled = callers(policy, REAL), callers(policy, MODELLED)
    if policy in SERVERS:
        _, test = SERVERS[policy]
        assert f"core.policies.{policy}" in imported(ROOT / test)
        assert real or modelled
    elif policy in REFUSED:
        system, field = REFUSED[policy]
        assert modelled, "nobody takes this decision"
        assert not real, "it is shared: take it out of REFUSED"
        assert any(f"({field})" in part for part in unsupported.parts(parse(f"scenario: x\nsystem: {{{system}}}")))
    else:
        assert real, f"only the model decides by it: {modelled}"
        assert modelled, f"only the services decide by it: {real}"


@pytest.mark.parametrize(("policy", "name"), functions())
def test_every_part_of_a_policy_is_used_by_the_product(policy: str, name: str) -> None:
    paths = [path for folder in ("core", *REAL, *MODELLED, "loadtest") for path in (ROOT / folder).rglob("*.py")]
    own = ROOT / "core" / "policies" / f"{policy}.py"
    users = [path for path in paths if path != own and name in path.read_text(encoding="utf-8")]
    in_own = own.read_text(encoding="utf-8").count(name) > 1
    assert users or in_own
