"""A service has the standard modules and no others, and the import rules cover every service."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from core.names import Component

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"__init__", "__main__", "app", "routes", "events", "rules", "store"}
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/__init__.py") if path.parent.name != "kit")


def strange_rooms(service: Path) -> set[str]:
    """Names of modules and packages in a service's folder that the house does not know."""
    found = {
        path.name if path.is_dir() else path.stem
        for path in service.iterdir()
        if path.name != "__pycache__" and (path.is_dir() or path.suffix == ".py")
    }
    return found - ROOMS


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: str(path.name))
def test_a_service_has_only_the_allowed_rooms(service: Path) -> None:
    assert strange_rooms(service) == set()


def test_a_strange_room_is_seen(tmp_path: Path) -> None:
    for name in ("app.py", "helpers.py", "rules.py"):
        (tmp_path / name).touch()

    assert strange_rooms(tmp_path) == {"helpers"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: str(path.name))
def test_a_service_starts_in_three_lines(service: Path) -> None:
    lines = [line for line in (service / "__main__.py").read_text(encoding="utf-8").splitlines() if line]

    assert lines[1:] == ["from services.kit.process import main", f'main("{service.name}")']


def test_every_component_is_a_service_and_every_service_is_held_by_the_import_rules() -> None:
    names = {service.name for service in SERVICES}
    assert names == set(Component)

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    inside = next(each for each in contracts if each["name"].startswith("inside a service"))
    beside = next(each for each in contracts if each["name"].startswith("services stand on"))
    assert {container.removeprefix("services.") for container in inside["containers"]} == names
    assert set(beside["layers"][1].split(" | ")) == names
