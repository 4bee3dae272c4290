"""The table of fields is true: each is changed on a paired run of the model, and a plan is made with and without it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from click.testing import CliRunner

from cli import fields
from core.errors import UserError
from core.operations import MEDIA_PROCESS
from core.profile import PIXELS, SizeShare
from core.scenario import Scenario, flat, parse
from core.scenario.reach import FIELDS, FieldEffect, ScenarioSide, reach_of, without_effect
from planning.plan.answer import make
from planning.plan.brief import PlanError
from planning.plan.record import record
from planning.studies import grid
from sim.simulate import simulate
from stack import unsupported
from tests.model import small, synthetic
from tests.planner import made

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "FIELDS.md"
_SLOW: Final = {"at": "1s", "for": "2s", "link": "feed_redis", "latency": "60ms", "jitter": "50ms"}
_CUT: Final = {"at": "1s", "for": "3s", "link": "feed_redis", "down": True}
_DOWN: Final = {"at": "1s", "for": "2s", "link": "upload_objects", "down": True}
_UPLOADS: Final = {"faults": [_DOWN], "mix": {"media.upload": "100%"}, "rate": "15/s"}
_VIRAL: Final = {"at": "1s", "author": {"followers": 50}, "factor": 6, "rise": "1s", "fall": "2s"}
_REGIONS: Final = {"eu": {"people": "60%"}, "us": {"people": "40%"}}
_REPLICAS: Final = {
    "shards": {"physical": 2, "replicas": 1, "replication": {"detection": "500ms", "promotion": "500ms"}},
    "placement": {
        "hosts": {
            "front": {"cores": 2, "runs": ["gateway", "feed", "api"]},
            "data": {"cores": 1, "count": 2, "runs": ["postgres"]},
        }
    },
    "faults": [{"at": "1s", "for": "1500ms", "process": "postgres_0", "action": "kill"}],
    "mix": {"like.add": "50%", "post.read": "30%", "feed.read": "20%"},
}


@dataclass(frozen=True)
class Change:
    """A value to set, and what the scenario has beside it so that the field can act."""

    value: str
    base: dict[str, Any] = field(default_factory=dict)
    name: str = ""  # where the table has a ``*``


#: Of each field that may act on the model.
ON_THE_MODEL: Final[dict[str, Change]] = {
    "seed": Change("8"),
    "population.people": Change("150"),
    "population.follows.exponent": Change("1.5"),
    "population.follows.mean": Change("6"),
    "population.follows.maximum": Change("40"),
    "population.posters": Change("50%"),
    "population.posts_per_poster": Change("9"),
    "population.stories_per_poster": Change("5"),
    "population.photo.width": Change("800"),
    "population.photo.height": Change("300"),
    "system.cells": Change("2"),
    "system.regions.*.people": Change(
        "{eu: {people: 50%}, us: {people: 50%}}", {"regions": _REGIONS}, "system.regions"
    ),
    "system.regions.*.utc_offset": Change("6h", {"regions": _REGIONS, "diurnal": True}, "system.regions.us.utc_offset"),
    "system.regions.*.rtt": Change("{us: 300ms}", {"regions": _REGIONS}, "system.regions.eu.rtt"),
    "system.geo.rtt": Change("300ms", {"regions": _REGIONS}),
    "system.geo.health_check": Change(
        "500ms", {"regions": _REGIONS, "faults": [{"at": "1s", "for": "2s", "region": "eu"}]}
    ),
    "system.placement.cores.stack": Change("[0, 1]"),
    "system.placement.cores.load": Change("[2]"),
    "system.placement.processes.*": Change(
        "{feed: [feed], api: [auth, graph, upload, posts, engagement, stories], find: [search], "
        "workers: [media, fanout, discovery, ads]}",
        {},
        "system.placement.processes",
    ),
    "system.placement.instances": Change("{api: 2}"),
    "system.placement.hosts": Change("{front: {cores: 2, runs: [gateway]}, back: {cores: 2, runs: [postgres]}}"),
    "system.admission": Change("false", {"rate": "600/s"}),
    "system.gateway.instances": Change("2"),
    "system.gateway.origins": Change("['https://app.example']"),
    "system.gateway.limits.*": Change("1/m per user", {}, "system.gateway.limits.feed.read"),
    "system.feed.instances": Change("2"),
    "system.feed.page": Change("20"),
    "system.feed.mix.*": Change("{followed: 40%, recommended: 40%, ads: 20%}", {}, "system.feed.mix"),
    "system.feed.deadlines.timeline": Change("20ms", {"faults": [_SLOW]}),
    "system.feed.deadlines.celebrities": Change("20ms", {"faults": [_SLOW]}),
    "system.feed.deadlines.hydrate": Change("20ms", {"faults": [_SLOW]}),
    "system.feed.card_ttl": Change("1s"),
    "system.breaker.failures": Change("1", {"faults": [_SLOW]}),
    "system.breaker.open": Change("300ms", {"faults": [_CUT], "duration": "6s"}),
    "system.retry.attempts": Change("5", _UPLOADS),
    "system.retry.backoff": Change("200ms", _UPLOADS),
    "system.retry.backoff_cap": Change("5ms", _UPLOADS),
    "system.retry.budget": Change("90%", _UPLOADS),
    "system.fanout.threshold": Change("10"),
    "system.fanout.hysteresis": Change("60%"),
    "system.fanout.depth": Change("1", {"redis": {"memory": "100KiB"}}),
    "system.fanout.ttl": Change("2s"),
    "system.fanout.batch": Change("3"),
    "system.shards.logical": Change("5"),
    "system.shards.physical": Change("1"),
    "system.shards.replicas": Change("1", {"placement": _REPLICAS["placement"], "shards": {"physical": 2}}),
    "system.shards.replication.*": Change("synchronous", _REPLICAS, "system.shards.replication.mode"),
    "system.shards.connections": Change("1", {"rate": "300/s"}),
    "system.redis.connections": Change("1"),
    "system.redis.memory": Change("16KiB"),
    "system.redis.nodes": Change("3"),
    "system.redis.hot": Change("2/s", {"redis": {"nodes": 3}, "viral": _VIRAL}),
    "system.redis.hot_keys": Change("2", {"redis": {"nodes": 3, "hot": "2/s"}, "viral": _VIRAL}),
    "system.kafka.partitions": Change("1", {"mix": {"media.upload": "60%", "like.add": "40%"}}),
    "system.cdn.edge.size": Change("64KiB"),
    "system.cdn.shield.size": Change("64KiB", {"cdn": {"edge": {"size": "64KiB"}}}),
    "system.cdn.ttl": Change("500ms"),
    "system.cdn.warm": Change("true"),
    "system.media.workers": Change("3", {"mix": {"media.upload": "100%"}}),
    "traffic.warm_up": Change("2s"),
    "traffic.duration": Change("3s"),
    "traffic.arrivals": Change("steady"),
    "traffic.diurnal.*": Change("4", {"diurnal": True}, "traffic.diurnal.factor"),
    "traffic.rate": Change("50/s"),
    "traffic.mix.*": Change("60%", {}, "traffic.mix.feed.read"),
    "traffic.viral.*": Change("3", {"viral": _VIRAL}, "traffic.viral.factor"),
    "traffic.phases": Change("[{at: 1s, for: 1s, factor: 2}]"),
    "traffic.timeout": Change("20ms", {"rate": "600/s"}),
    "faults": Change("[{at: 1s, for: 1s, link: feed_redis, latency: 300ms}]"),
    "expect.*": Change("< 1ms", {}, "expect.feed.read.p95"),
    "prices": Change("2026-11"),
}
#: These are read by what judges, prices or takes a fleet apart, not by the run of one system.
_BESIDE_THE_RUN: Final = {"system.cells", "expect.*", "prices"}


#: A photo's pixels act on what it costs to process.
PROFILE: Final = msgspec.structs.replace(
    synthetic.profile(),
    sizes=(SizeShare(operation=MEDIA_PROCESS, process="media", size=PIXELS, at=1600.0 * 1200.0, share=0.8),),
)


def _text(base: dict[str, Any]) -> str:
    changes = {name: value for name, value in base.items() if name != "diurnal"}
    text = small.text(**{"duration": "4s", "rate": "60/s", **changes})
    return text.replace("  timeout:", "  arrivals: diurnal\n  timeout:") if base.get("diurnal") else text


@cache
def _seen(text: str) -> tuple[bytes, ...]:
    """All that a run of the model gives."""
    found = simulate(parse(text), PROFILE, engine="compiled")
    samples = found.samples
    return (
        samples.latency_seconds.tobytes(),
        samples.at_seconds.tobytes(),
        repr([row[2] for row in found.usage]).encode(),
        repr((found.caches, found.stages, found.jobs)).encode(),
    )


def test_every_field_is_in_the_table_and_every_row_is_a_field() -> None:
    whole = "scenario: x\ntraffic: {viral: {at: 1s}, phases: [{at: 1s, for: 1s, factor: 2}]}\n"
    names = {re.sub(r"\[\d+\]", "", name) for name in (*flat(parse(whole)), *flat(parse(made.text())))}
    names -= {"scenario", "description"}
    assert [name for name in sorted(names) if reach_of(name) is None] == []
    plain = [name for name in FIELDS if "*" not in name]
    assert [name for name in plain if not any(f"{each}.".startswith(f"{name}.") for each in names)] == []


def test_every_field_that_the_model_may_use_is_changed_here() -> None:
    assert ON_THE_MODEL.keys() == {name for name, reach in FIELDS.items() if reach.model is not FieldEffect.NOT_ITS}


@pytest.mark.parametrize("name", [name for name in ON_THE_MODEL if name not in _BESIDE_THE_RUN])
def test_a_field_acts_on_the_model_or_does_not_as_the_table_says(name: str) -> None:
    change = ON_THE_MODEL[name]
    text = _text(change.base)
    changed = grid.point(text, ((change.name or name, change.value),), base=parse(text)).text
    acts = _seen(changed) != _seen(text)
    assert acts == (FIELDS[name].model is FieldEffect.YES)


def _explained(name: str) -> str:
    change = ON_THE_MODEL[name]
    text = _text(change.base)
    return grid.point(text, ((change.name or name, change.value),), base=parse(text)).text


@pytest.mark.parametrize("name", [name for name, reach in FIELDS.items() if reach.model is FieldEffect.NO])
def test_what_does_not_act_on_the_model_is_noted(name: str) -> None:
    (note,) = without_effect(parse(_explained(name)), ScenarioSide.MODEL)[:1]
    assert " does not act on the model: " in note
    assert FIELDS[name].why in note


@pytest.mark.parametrize("name", [name for name, reach in FIELDS.items() if reach.stack is FieldEffect.REFUSED])
def test_what_the_stack_refuses_is_refused_by_name(name: str) -> None:
    asked: Scenario = parse(_explained(name))
    known = "system.regions" if name.startswith("system.geo") else name.removesuffix(".*").partition(".*")[0]
    known = "system.shards.replicas" if name.startswith("system.shards.replication") else known
    assert any(f"({known})" in part for part in unsupported.parts(asked))


def test_the_usual_values_are_noted_nowhere() -> None:
    assert [without_effect(parse("scenario: x"), side) for side in ScenarioSide] == [(), (), ()]


def test_the_document_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(fields.command, ["--markdown"]).output
    assert DOCUMENT.read_text(encoding="utf-8") == printed, "windtunnel fields --markdown > docs/FIELDS.md"


def test_the_command_explains_one_field_and_refuses_another() -> None:
    printed = CliRunner().invoke(fields.command, ["system.feed"]).output
    assert "system.feed.page" in printed
    assert "every post of a page costs the same" in printed
    with pytest.raises(UserError, match=r"no field 'system\.feed\.pag'; did you mean system\.feed\.page"):
        CliRunner().invoke(fields.command, ["system.feed.pag"], standalone_mode=False, catch_exceptions=False)


# --- plans

_PER_DAY: Final = {"feed.read": 8_640_000, "like.add": 8_640_000, "media.upload": 86_400, "story.tray": 864_000}
_FAR: Final = {"system": {"regions": _REGIONS}, "intent": {"slo": {"like.add": {"p95": "< 900ms"}}}}
#: Of each field that a plan may use: those that it reads, and those that it has to note.
ON_A_PLAN: Final[dict[str, Change]] = {
    **{name: replace(change, base={}) for name, change in ON_THE_MODEL.items()},
    "population.people": Change("50_000"),
    "population.follows.mean": Change("40"),
    "population.follows.maximum": Change("20_000"),
    "system.regions.*.people": Change("{us: {people: 60%}, eu: {people: 40%}}", {}, "system.regions"),
    "system.regions.*.utc_offset": Change("6h", {"system": {"regions": _REGIONS}}, "system.regions.us.utc_offset"),
    "system.regions.*.rtt": Change("{us: 200ms}", _FAR, "system.regions.eu.rtt"),
    "system.geo.rtt": Change("200ms", _FAR),
    "system.geo.health_check": Change("1s", {"system": {"regions": _REGIONS}}),
    "system.shards.replicas": Change("1", {"system": {"placement": _REPLICAS["placement"]}}),
    "system.fanout.threshold": Change("50"),
    "system.shards.logical": Change("16", {"per_day": {"like.add": 86_400 * 400_000}, "logical": 4_096}),
    "system.shards.replication.*": Change("synchronous", {}, "system.shards.replication.mode"),
    "demand.*": Change("20_000_000", {}, "demand.per_day.feed.read"),
    "intent.*": Change("2", {}, "intent.spare"),
}


#: With one price book there is no other to name.
_IN_A_PLAN: Final = [
    name for name, reach in FIELDS.items() if reach.plan in (FieldEffect.YES, FieldEffect.NO) and name != "prices"
]


@cache
def _planned(text: str) -> str:
    """All that a plan says, but for its notes and what its scenario is called."""
    try:
        planned = record(make(parse(text), made.profile(), made.book(), sure=False, more=False))
    except PlanError as error:
        return str(error)
    return json.dumps(
        {name: value for name, value in planned.items() if name not in ("notes", "scenario")}, default=str
    )


def _for_a_plan(name: str) -> tuple[str, str]:
    change = ON_A_PLAN[name]
    base = change.base
    system = base.get("system", {}) | ({"shards": {"logical": base["logical"]}} if "logical" in base else {})
    text = made.text(
        per_day=base.get("per_day", _PER_DAY), demand={"images_per_feed": 20}, system=system, intent=base.get("intent")
    )
    return text, grid.point(text, ((change.name or name, change.value),), base=parse(text)).text


@pytest.mark.parametrize("name", _IN_A_PLAN)
def test_a_field_acts_on_a_plan_or_does_not_as_the_table_says(name: str) -> None:
    text, changed = _for_a_plan(name)
    acts = _planned(changed) != _planned(text)
    assert acts == (FIELDS[name].plan is FieldEffect.YES)
    field_name = ON_A_PLAN[name].name or name
    noted = any(note.startswith(field_name) for note in without_effect(parse(changed), ScenarioSide.PLAN))
    assert noted == (FIELDS[name].plan is FieldEffect.NO)
