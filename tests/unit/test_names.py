"""Names and operations: one word for one thing, and every name that another document uses exists."""

from __future__ import annotations

import re

import pytest

from core import failures, names, operations
from core.names import LINKS, STORES, USES, Component, Outcome, Server


def test_every_link_is_named_once_and_by_its_two_ends() -> None:
    assert len(set(LINKS)) == len(LINKS)
    ends = {*Component, *Server, "client"}
    for link in LINKS:
        assert any(link == names.link(a, b) for a in ends for b in ends), link


def test_every_component_uses_stores_alone_and_is_behind_the_gateway() -> None:
    assert set(USES) == set(Component)
    for component, stores in USES.items():
        assert set(stores) <= set(STORES)
        assert names.link("gateway", component) in LINKS
        assert all(names.link(component, store) in LINKS for store in stores)


def test_a_degraded_answer_is_not_an_error() -> None:
    assert Outcome.DEGRADED not in names.ERRORS
    assert Outcome.OK not in names.ERRORS


def test_metrics_have_base_units_and_one_prefix() -> None:
    metrics = [
        value for name, value in vars(names).items() if isinstance(value, str) and value.startswith("windtunnel")
    ]
    assert len(metrics) >= 12
    assert all(
        re.fullmatch(r"windtunnel_[a-z_]+(_seconds|_total|_count|_bytes|_events|_requests|_open|_up)", metric)
        for metric in metrics
    )


@pytest.mark.parametrize("operation", operations.OPERATIONS.values(), ids=lambda operation: operation.name)
def test_an_operation_is_a_route_of_its_own_with_stages(operation: operations.Operation) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", operation.name)
    assert operation.method in ("GET", "PUT", "POST", "DELETE")
    assert operation.path.startswith("/")
    assert operation.stages
    assert len(set(operation.stages)) == len(operation.stages)
    assert not operation.creates or operation.method == "POST"
    twins = [
        other.name
        for other in operations.OPERATIONS.values()
        if (other.method, other.path, other.component) == (operation.method, operation.path, operation.component)
    ]
    assert twins == [operation.name]


def test_journeys_are_made_of_operations() -> None:
    for journey, steps in operations.JOURNEYS.items():
        assert operations.steps_of(journey) == steps
        assert all(step in operations.OPERATIONS for step in steps)
        assert journey not in operations.OPERATIONS
    assert operations.steps_of("feed.read") == ("feed.read",)
    with pytest.raises(KeyError):
        operations.steps_of("feed.reed")


@pytest.mark.parametrize("kind", failures.KINDS, ids=lambda kind: kind.code)
def test_a_failure_has_a_code_of_its_own_a_client_or_server_status_and_a_detail(kind: type[failures.Failure]) -> None:
    failure = kind()
    assert 400 <= kind.status <= 504
    assert failure.detail == kind.title == str(failure)
    assert sum(other.code == kind.code for other in failures.KINDS) == 1
    # after an indefinite failure a caller may retry or check; a bug is the exception, because it may happen again
    assert kind.definite or kind.retryable or kind is failures.Internal
    assert kind("no luck", retry_after_seconds=2.0).retry_after_seconds == 2.0


def test_an_invalid_field_is_named() -> None:
    failure = failures.Invalid.field("/caption", "too long")
    assert failure.errors == (failures.FieldError(field="/caption", detail="too long"),)
    assert str(failure) == "/caption: too long"
