"""Every field of a scenario has an effect on both sides, or is refused or told of by name where it has none."""

from __future__ import annotations

import ast
import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.scenario import ScenarioError, faults, notes, parse
from core.scenario.model import Drill, Scenario
from core.scenario.retired import DEADLINES
from stack import unsupported

ROOT = Path(__file__).parents[2]
MODELLED = ("sim", "planning")
REAL = ("services", "stack", "loadtest", "chaos")
#: Folders whose use of a field is only to read or refuse it.
READING = ("core/scenario/", "stack/unsupported.py")
#: Sections of the planner and the auditor, which do not concern a stack on this machine.
ASKED = ("core.scenario.demand", "core.scenario.design", "core.scenario.intent")

_HOST = "placement: {hosts: {a: {cores: 1, count: 2, runs: [postgres]}}}"
_REGIONS = "regions: {eu: {people: 40%, rtt: {us: 1ms}}, us: {people: 60%}}"
#: Fields that only the model acts on, and the part of ``system`` with which the stack refuses each by this name.
REFUSED = {
    "System.cells": ("cells: 2", "system.cells"),
    "Cdn.warm": ("cdn: {warm: true}", "system.cdn.warm"),
    "RedisServer.nodes": ("redis: {nodes: 2}", "system.redis.nodes"),
    "RedisServer.hot_per_second": ("redis: {hot: 50/s}", "system.redis.hot"),
    "RedisServer.hot_keys": ("redis: {hot_keys: 7}", "system.redis.hot_keys"),
    "Host.runs": (_HOST, "system.placement.hosts"),
    "ShardSettings.replicas": (f"shards: {{replicas: 1}}, {_HOST}", "system.shards.replicas"),
    "Region.rtt": (_REGIONS, "system.regions"),
}
#: Fields that act only together with one of these, and are reported as without effect otherwise.
IDLE = {
    "System.geo": ("geo: {rtt: 1ms}", "system.geo"),
    "Geo.rtt_seconds": ("geo: {rtt: 1ms}", "system.geo"),
    "Geo.health_check_seconds": ("geo: {health_check: 1s}", "system.geo"),
    "ShardSettings.replication": ("shards: {replication: {lag: 10ms}}", "system.shards.replication"),
    "Replication.lag_seconds": ("shards: {replication: {lag: 10ms}}", "system.shards.replication"),
    "Replication.lag_p99_seconds": ("shards: {replication: {lag_p99: 1s}}", "system.shards.replication"),
    "Replication.replay_ratio": ("shards: {replication: {replay: 50%}}", "system.shards.replication"),
    "Replication.reads": ("shards: {replication: {reads: primary}}", "system.shards.replication"),
    "Replication.own_writes_seconds": ("shards: {replication: {own_writes: 2s}}", "system.shards.replication"),
    "Replication.detection_seconds": ("shards: {replication: {detection: 1s}}", "system.shards.replication"),
    "Replication.promotion_seconds": ("shards: {replication: {promotion: 1s}}", "system.shards.replication"),
}
#: Fields that only one side names, or none, and why that is right.
EXPLAINED = {
    "Gateway.origins": "for browsers; the load is none",
    "RateLimit.scope": "the gateway counts by it; the model counts each person, who has one address",
    "Fanout.batch": "calibration measures what a timeline costs in batches",
    "PopulationSettings.stories_per_poster": "calibration measures what a tray costs with them",
    "Follows.distribution": "there is one",
    "Scenario.demand": "a plan's",
    "Scenario.intent": "a plan's",
    "Scenario.design": "an audit's",
    "Scenario.prices": "the bill's, which is made of either side's run",
    "Scenario.expect": "`Scenario.expectations` is what both sides are judged by",
    "Scenario.drill": "the experiment's: it ends a measured run early, and the verdict says so",
}


def classes(kind: type[typing.Any], seen: set[type[typing.Any]]) -> set[type[typing.Any]]:
    """``kind`` and every class that its fields hold, without those of `ASKED` and faults, which act by methods."""
    if kind not in seen and kind.__module__ not in (*ASKED, faults.__name__) and kind is not Drill:
        seen.add(kind)
        for hint in typing.get_type_hints(kind).values():
            for each in parts(hint):
                if isinstance(each, type) and dataclasses.is_dataclass(each):
                    classes(each, seen)
    return seen


def parts(hint: typing.Any) -> Iterator[typing.Any]:
    yield hint
    for inner in typing.get_args(hint):
        yield from parts(inner)


def named_in(*folders: str) -> frozenset[str]:
    """Attributes that the code there names."""
    found: set[str] = set()
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        if not str(path.relative_to(ROOT)).startswith(READING):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return frozenset(found)


FIELDS = sorted((kind.__name__, each.name) for kind in classes(Scenario, set()) for each in dataclasses.fields(kind))


def test_every_field_acts_on_both_sides_or_is_listed_here() -> None:
    modelled, real, shared = named_in(*MODELLED), named_in(*REAL), named_in("core")
    one_sided = {
        f"{kind}.{name}" for kind, name in FIELDS if name not in shared and not (name in modelled and name in real)
    }
    assert len(FIELDS) > 80
    assert one_sided - REFUSED.keys() - IDLE.keys() - EXPLAINED.keys() == set()
    # no entry is obsolete
    known = {f"{kind}.{name}" for kind, name in FIELDS}
    assert (REFUSED.keys() | IDLE.keys() | EXPLAINED.keys()) <= known
    assert EXPLAINED.keys() <= one_sided


@pytest.mark.parametrize(("system", "field"), REFUSED.values(), ids=REFUSED)
def test_the_stack_refuses_by_name_what_only_the_model_does(system: str, field: str) -> None:
    assert any(f"({field})" in part for part in unsupported.parts(parse(f"scenario: x\nsystem: {{{system}}}")))
    assert unsupported.parts(parse("scenario: x")) == ()


@pytest.mark.parametrize(("system", "field"), IDLE.values(), ids=IDLE)
def test_a_field_that_acts_only_with_another_is_reported_when_alone(system: str, field: str) -> None:
    text = f"scenario: x\nsystem: {{{system}}}"
    (note,) = notes(parse(text), text, file="x.yaml")
    assert note.startswith(f"x.yaml:2: {field} has no effect, leave it out: ")


def test_beside_the_other_it_has_an_effect() -> None:
    for system in (f"{_REGIONS}, geo: {{rtt: 1ms}}", f"shards: {{replicas: 1, replication: {{lag: 10ms}}}}, {_HOST}",
                   "redis: {nodes: 2, hot: 50/s, hot_keys: 7}"):  # fmt: skip
        text = f"scenario: x\nsystem: {{{system}}}"
        assert notes(parse(text), text, file="x.yaml") == ()


def test_a_deadline_of_older_versions_is_ignored_and_reported() -> None:
    text = "scenario: x\nsystem:\n  feed:\n    deadlines: {timeline: 1s, recommended: 60ms, ads: 30ms}"
    read = parse(text)
    assert read == parse("scenario: x\nsystem: {feed: {deadlines: {timeline: 1s}}}")
    assert notes(read, text, file="x.yaml") == tuple(
        f"x.yaml:4: system.feed.deadlines.{name} has no effect, leave it out: {why}" for name, why in DEADLINES.items()
    )


def test_the_old_name_of_a_description_is_accepted_with_a_warning() -> None:
    text = "scenario: x\nsays: a\ndesign:\n  title: t\n  stated:\n    egress: {value: 1 Gbps, says: b}"
    read = parse(text)
    assert read == parse(text.replace("says", "description"))
    assert notes(read, text, file="x.yaml") == tuple(
        f"x.yaml:{line}: {field} is called description now; the next release will refuse the old name"
        for line, field in ((2, "says"), (6, "design.stated.egress.says"))
    )


def test_a_description_under_both_names_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"^x\.yaml:2: says: "):
        parse("scenario: x\nsays: a\ndescription: b", file="x.yaml")
