"""The API's document covers every operation. `System.call` checks live answers against it in every service test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from core.names import Component
from core.operations import OPERATIONS
from services.kit import openapi
from services.kit.routing import Route
from tests.service.conftest import Running

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


def test_schemas_have_names_for_classes_and_there_is_one_of_a_photo() -> None:
    names = list(DOCUMENT["components"]["schemas"])
    assert all(re.fullmatch(r"[A-Z][A-Za-z]{1,23}", name) for name in names), names
    assert len({name.lower() for name in names}) == len(names)
    shapes = [tuple(sorted(each.get("properties", {}))) for each in DOCUMENT["components"]["schemas"].values()]
    for name in ("Photo", "Variant"):
        assert shapes.count(tuple(sorted(DOCUMENT["components"]["schemas"][name]["properties"]))) == 1


@pytest.mark.parametrize("operation", OURS, ids=lambda each: str(each.name))
def test_an_operation_lists_its_refusals_with_their_headers(operation: Any) -> None:
    found = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]

    expected = {"400", "429", "500", "503", "504", "default", str(operation.status)}
    expected |= {"401"} if operation.signed_in else set()
    expected |= {"404"} if "{" in operation.path else set()
    expected |= {"409", "422"} if operation.creates else set()
    assert expected <= set(found)
    refusals = {status: each for status, each in found.items() if not status.startswith(("2", "3"))}
    assert {next(iter(each["content"])) for each in refusals.values()} == {"application/problem+json"}
    assert all("X-Request-Id" in each["headers"] for each in refusals.values())
    assert all("Retry-After" in found[status]["headers"] for status in ("429", "503"))
    if operation.status == 201:
        assert "Location" in found["201"]["headers"]


def fields() -> list[tuple[str, dict[str, Any]]]:
    """Every property of every schema, by path."""
    found = []
    for name, schema in DOCUMENT["components"]["schemas"].items():
        found += [(f"{name}.{field}", each) for field, each in schema.get("properties", {}).items()]
    return found


def test_ids_times_and_counts_have_a_form() -> None:
    found = dict(fields())
    times = [path for path in found if path.endswith("_at")]
    ids = [path for path in found if path.endswith(".id") and path != "FeedAd.id"]
    counts = [path for path in found if path.endswith("_count")]
    assert min(len(times), len(ids), len(counts)) > 3
    assert {found[path].get("format") for path in times} == {"date-time"}
    assert {found[path].get("pattern") for path in ids} == {"^(0|[1-9][0-9]{0,18})$"}
    assert {found[path].get("minimum") for path in counts} == {0}


def broken(schema: dict[str, Any]) -> Iterator[Any]:
    """Values that a field's schema forbids, one for each of its bounds."""
    for each in schema.get("anyOf", [schema]):
        if "minLength" in each:
            yield "x" * (each["minLength"] - 1)
        if "maxLength" in each:
            yield "xy" * each["maxLength"]
        if "pattern" in each:
            yield "\u00a1 no"
        if "minItems" in each:
            yield ["1"] * (each["minItems"] - 1)
        if "maxItems" in each:
            yield [str(number) for number in range(each["maxItems"] + 1)]
        if "enum" in each:
            yield "none of them"
        if "minimum" in each:
            yield each["minimum"] - 1
        if "maximum" in each:
            yield each["maximum"] + 1


RIGHT: dict[str, dict[str, Any]] = {
    "auth.signup": {"username": "document", "password": "correct horse", "display_name": "Document"},
    "media.create": {"content_type": "image/png", "size_bytes": 7, "checksum_sha256": "0" * 64},
    "post.create": {"media_ids": ["1"], "caption": ""},
    "comment.add": {"text": "a"},
    "story.create": {"media_id": "1"},
}


async def test_what_the_document_forbids_in_a_body_is_refused_by_the_fields_name(running: Running) -> None:
    components = {OPERATIONS[name].component for name in RIGHT}
    count = 0
    async with running(*sorted(components), Component.GRAPH) as system:
        who = await system.person()
        for name, right in RIGHT.items():
            body = DOCUMENT["paths"][OPERATIONS[name].path]["post"]["requestBody"]
            reference = body["content"]["application/json"]["schema"]["$ref"]
            properties = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
            assert set(properties) == set(right)
            path = {"post_id": "1"} if "{post_id}" in OPERATIONS[name].path else {}
            for field, schema in properties.items():
                for value in broken(schema):
                    answer = await system.call(name, user=who, json={**right, field: value}, **path)
                    assert answer.status == 400, (name, field, value)
                    assert field in [each["field"].partition("[")[0] for each in answer.json["errors"]]
                    count += 1
    assert count > 15


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere() -> None:
    page = openapi.page(DOCUMENT)

    assert all(f'id="{operation.name}"' in page for operation in OURS)
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
