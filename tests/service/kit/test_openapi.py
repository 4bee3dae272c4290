"""The API's document covers every operation. That live answers fit it, `System.call` checks in every service test."""

from __future__ import annotations

from typing import Any

import pytest

from core.names import Component
from core.operations import OPERATIONS
from services.kit import openapi
from services.kit.routing import Route

OURS = [operation for operation in OPERATIONS.values() if isinstance(operation.component, Component)]
DOCUMENT = openapi.document()


def references(value: Any) -> set[str]:
    """Every ``$ref`` in a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()))
    if isinstance(value, list | tuple):
        return set().union(*(references(inner) for inner in value))
    return set()


@pytest.mark.parametrize("operation", OURS, ids=lambda each: str(each.name))
def test_every_operation_is_documented(operation: Any) -> None:
    found = DOCUMENT["paths"][operation.path][operation.method.lower()]

    assert found["operationId"] == operation.name
    assert found["summary"].endswith(".")
    assert str(operation.status) in found["responses"]
    assert bool(found["security"]) is operation.signed_in
    named = {each["name"] for each in found["parameters"]}
    assert ("Idempotency-Key" in named) is operation.creates
    assert all(f"{{{each['name']}}}" in operation.path for each in found["parameters"] if each["in"] == "path")
    assert (operation.status == 204) is ("content" not in found["responses"][str(operation.status)])


def test_nothing_else_is_documented_and_no_reference_leads_nowhere() -> None:
    documented = {each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()}
    assert documented == {operation.name for operation in OURS}
    assert references(DOCUMENT) <= {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}


@pytest.mark.parametrize("component", Component)
def test_a_service_declares_the_operations_of_its_component(component: Component) -> None:
    routes: tuple[Route, ...] = openapi.routes_of(component)
    assert {route.operation.component for route in routes} <= {component}


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere() -> None:
    page = openapi.page(DOCUMENT)

    assert all(f'id="{operation.name}"' in page for operation in OURS)
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
