"""Scenarios whose fields are valid alone but not together: the field, and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from core.names import LINKS, Component, Server
from core.operations import JOURNEYS, ONLY_WITHIN_A_JOURNEY, OPERATIONS
from core.scenario import demand, intent, limits, overlaps, processes
from core.scenario.fault import LinkFault, ProcessFault
from core.scenario.faults import Fault, Lost
from core.scenario.model import Expectation, Scenario
from core.scenario.units import format_seconds

FieldPath = tuple[str | int, ...]

#: With fewer people a cell is too small to represent a part of the fleet.
CELL_PEOPLE_MIN: Final = 50


def impossible(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    """Fields that are valid alone but not together, with what was expected."""
    yield from _impossible_traffic(scenario)
    yield from _impossible_system(scenario)
    yield from demand.impossible(scenario)
    yield from intent.impossible(scenario)
    wrong = [
        each
        for index, fault in enumerate(scenario.faults)
        for each in _impossible_fault(scenario, ("faults", index), fault)
    ]
    # invalid faults cannot be checked against each other
    yield from wrong or overlaps.impossible(scenario)
    for name, expectation in scenario.expect.items():
        if name == "recovers":
            if isinstance(expectation, Expectation):
                yield ("expect", name), "expected a time, such as within 5s"
        elif name not in OPERATIONS:
            yield ("expect", name), f"expected an operation{_near(name, tuple(OPERATIONS))}, or recovers"
        elif not isinstance(expectation, Expectation):
            yield ("expect", name), "expected limits, such as {p95: < 300ms}"
    if scenario.drill is not None:
        for name in scenario.drill.abort:
            if name not in OPERATIONS:
                yield ("drill", "abort", name), f"expected an operation{_near(name, tuple(OPERATIONS))}"


def _near(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f", one of {', '.join(known)}"


def _impossible_mix(path: FieldPath, mix: Mapping[str, float]) -> Iterator[tuple[FieldPath, str]]:
    acts = tuple(name for name in OPERATIONS if name not in ONLY_WITHIN_A_JOURNEY) + tuple(JOURNEYS)
    for name in mix:
        if name in ONLY_WITHIN_A_JOURNEY:
            whole = ", ".join(journey for journey, parts in JOURNEYS.items() if name in parts)
            yield (*path, name), f"expected an operation that can be sent alone; this one is part of {whole}"
        elif name not in acts:
            yield (*path, name), f"expected an operation{_near(name, acts)}"
    total = sum(mix.values())
    if abs(total - 1) > 1e-9:
        yield path, f"expected shares that add up to 100%, these add up to {total * 100:.6g}%"


def _impossible_traffic(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    traffic = scenario.traffic
    yield from _impossible_mix(("traffic", "mix"), traffic.mix_ratio)
    if traffic.viral is not None:
        viral = traffic.viral
        yield from _impossible_mix(("traffic", "viral", "mix"), viral.mix_ratio)
        if viral.at_seconds >= traffic.duration_seconds:
            yield ("traffic", "viral", "at"), f"expected a time before the end, {traffic.duration_seconds:g}s"
        if viral.author.followers >= scenario.population.people:
            yield ("traffic", "viral", "author", "followers"), "expected fewer followers than there are people"
    yield from _impossible_phases(scenario)


def _impossible_phases(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    traffic, before = scenario.traffic, 0.0
    for index, phase in enumerate(traffic.phases):
        here = ("traffic", "phases", index, "at")
        if phase.at_seconds < before:
            yield here, f"expected a time from {format_seconds(before)} on, when the phase before it is over"
        if phase.end_seconds > traffic.duration_seconds:
            yield here, f"expected it to be over by the end of the traffic, {traffic.duration_seconds:g}s"
        before = phase.end_seconds


def _impossible_system(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    system, people = scenario.system, scenario.population.people
    if system.cells > 1 and people < system.cells * CELL_PEOPLE_MIN:
        yield ("system", "cells"), f"expected {CELL_PEOPLE_MIN} people or more in each cell, there are {people} in all"
    if scenario.population.follows.maximum >= people:
        yield ("population", "follows", "maximum"), f"expected fewer than the {people} people"
    if scenario.population.follows.mean > scenario.population.follows.maximum:
        yield ("population", "follows", "mean"), "expected no more than the maximum"
    for name, region in system.regions.items():
        for other in region.rtt:
            here = ("system", "regions", name, "rtt", other)
            if other == name or other not in system.regions:
                yield (
                    here,
                    f"expected another region{_near(other, tuple(each for each in system.regions if each != name))}",
                )
            elif system.regions[other].rtt.get(name, region.rtt[other]) != region.rtt[other]:
                yield here, f"expected the same as in {other}, {format_seconds(system.regions[other].rtt[name])}"
    shares = sum(region.people_ratio for region in system.regions.values())
    if abs(shares - 1) > 1e-9:
        yield (
            ("system", "regions"),
            f"expected shares of people that add up to 100%, these add up to {shares * 100:.6g}%",
        )
    mix = system.feed.mix
    total = mix.followed_ratio + mix.recommended_ratio + mix.ads_ratio
    if abs(total - 1) > 1e-9:
        parts = (("followed", mix.followed_ratio), ("recommended", mix.recommended_ratio), ("ads", mix.ads_ratio))
        sum_of = " + ".join(f"{name} {ratio * 100:.6g}%" for name, ratio in parts)
        yield ("system", "feed", "mix"), f"expected shares that add up to 100%: {sum_of} is {total * 100:.6g}%"
    if system.shards.physical > system.shards.logical:
        yield ("system", "shards", "physical"), f"expected no more than the {system.shards.logical} logical shards"
    path = ("system", "gateway", "limits")
    unknown = [name for name in system.gateway.limits if name not in OPERATIONS]
    yield from (((*path, name), f"expected an operation{_near(name, tuple(OPERATIONS))}") for name in unknown)
    known = {name: limit for name, limit in system.gateway.limits.items() if name not in unknown}
    yield from (((*path, name), expected) for name, expected in limits.impossible(known))
    machines = processes.machines_of(scenario, Server.POSTGRES)
    if system.shards.replicas >= machines:
        yield (
            ("system", "shards", "replicas"),
            f"expected fewer than the hosts that run {Server.POSTGRES}, which are {machines}:"
            " a replica beside its primary dies with it",
        )
    replication = system.shards.replication
    if replication.lag_p99_seconds < replication.lag_seconds:
        yield ("system", "shards", "replication", "lag_p99"), "expected no less than the lag, which is the median"
    yield from _impossible_placement(scenario)


def _impossible_placement(scenario: Scenario) -> Iterator[tuple[FieldPath, str]]:
    placement, path = scenario.system.placement, ("system", "placement")
    placed = [component for members in placement.processes.values() for component in members]
    for component in Component:
        if placed.count(component) != 1:
            yield (*path, "processes"), f"expected {component} in one process, it is in {placed.count(component)}"
    groups = tuple(placement.processes)
    for group in placement.instances:
        if group not in groups:
            yield (*path, "instances", group), f"expected a process{_near(group, groups)}"
        elif Component.FEED in placement.processes[group]:
            yield (*path, "instances", group), "expected none: the feed's instances are system.feed.instances"
    known = tuple(dict.fromkeys((*processes.groups_of(scenario), *processes.all_of(scenario))))
    seen: dict[str, str] = {}
    for host, machine in placement.hosts.items():
        for index, name in enumerate(machine.runs):
            here = (*path, "hosts", host, "runs", index)
            if name not in known:
                yield here, f"expected a process or a group of them{_near(name, known)}"
            elif name in seen and (seen[name] == host or name not in processes.groups_of(scenario)):
                yield here, f"expected it once; {seen[name]} already runs it"
            seen[name] = host


def _impossible_fault(scenario: Scenario, path: FieldPath, fault: Fault) -> Iterator[tuple[FieldPath, str]]:
    regions = tuple(scenario.system.regions)
    match fault:
        case LinkFault():
            if fault.link not in LINKS:
                yield (*path, "link"), f"expected a link{_near(fault.link, LINKS)}"
            if fault.region is not None and fault.region not in regions:
                yield (*path, "region"), f"expected a region{_near(fault.region, regions)}"
        case ProcessFault():
            known = processes.everywhere(scenario)
            if fault.process not in known:
                yield (*path, "process"), f"expected a process{_near(fault.process, known)}"
        case Lost():
            if fault.region not in regions:
                yield (*path, "region"), f"expected a region{_near(fault.region, regions)}"
            elif len(regions) == 1:
                yield (*path, "region"), "expected another region that stays; it is the only one"
        case _:
            assert_never(fault)
    yield from (((*path, name), expected) for name, expected in fault.wrong())
    if fault.end_seconds > scenario.traffic.duration_seconds:
        yield (*path, "at"), f"expected it to be over by the end of the traffic, {scenario.traffic.duration_seconds:g}s"
