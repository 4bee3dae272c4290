"""The key of a simulation's result covers the code that the result comes from."""

from __future__ import annotations

import ast

import msgspec

from core.scenario import parse
from planning.simulations import task
from records.provenance import ROOT
from tests.model import synthetic
from tests.studies.conftest import TINY

#: What may change without a change of results: where runs lie and how they are shown.
_SHOWN = ("records", "present")


def test_the_code_of_a_key_holds_every_module_that_reading_a_simulation_imports() -> None:
    seen: set[str] = set()
    waiting = ["planning.simulations.task"]
    while waiting:
        for name in _imported(waiting.pop()):
            if name not in seen and _path(name) is not None:
                seen.add(name)
                waiting.append(name)
    assert {"planning.simulations.readings", "planning.cost.bill", "sim.simulate", "core.judge"} <= seen
    held = tuple(folder.replace("/", ".") for folder in task._CODE)
    outside = {name for name in seen if not name.startswith(held) and name.split(".", maxsplit=1)[0] not in _SHOWN}
    assert outside <= {"planning"}  # the package itself, which is empty


def test_replications_draw_their_demands_from_the_error_of_calibration_and_all_settings_the_same() -> None:
    profile = synthetic.profile()
    unsure = msgspec.structs.replace(
        profile, demands=tuple(msgspec.structs.replace(each, error_ratio=0.2) for each in profile.demands)
    )
    base, other = parse(TINY), parse(TINY.replace("seed: ", "description: Another.\nseed: "))
    shared = task.setup(unsure, "simpy", draws_demands=True)
    some, same = (task.tasks(each, "a", range(3), shared) for each in (base, other))
    profiles = [task.profile_of(each, shared) for each in some]
    assert profiles[0] == unsure  # what `windtunnel simulate` shows
    assert len({each.demands for each in profiles}) == 3
    assert [task.profile_of(each, shared) for each in same] == profiles
    means = task.tasks(base, "a", range(3), task.setup(unsure, "simpy"))
    assert [each.key == mean.key for each, mean in zip(some, means, strict=True)] == [True, False, False]
    assert not any(each.drawn for each in means)
    assert not task.setup(profile, "simpy", draws_demands=True).draws_demands  # without errors there is nothing to draw


def _imported(name: str) -> set[str]:
    path = _path(name)
    assert path is not None, name
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found


def _path(name: str) -> str | None:
    """Of a module of ours."""
    plain = name.replace(".", "/")
    return next((path for path in (f"{plain}.py", f"{plain}/__init__.py") if (ROOT / path).is_file()), None)
