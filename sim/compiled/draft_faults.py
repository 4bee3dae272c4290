"""Rows of faults: links and their toxics, processes, replicas, regions."""

from __future__ import annotations

import math

import numpy as np

from core.scenario.fault import LinkFault
from core.scenario.faults import Lost, Pause, Restart
from sim.compiled.draft import Draft
from sim.compiled.memory import Array
from sim.compiled.records import TableId
from sim.model import toxics as toxics_of
from sim.model.caches import node_of


def faults(draft: Draft) -> None:
    """Add the tables of links, faults, replicas and regions."""
    specs, scheduled = draft.prepared.resources.links, draft.prepared.faults
    links = draft.add(TableId.LINKS, len(specs), mu=[spec.mu for spec in specs], sigma=[spec.sigma for spec in specs])
    found = draft.add(TableId.FAULTS, len(scheduled), began=math.nan, ended=math.nan)
    stations: list[int] = []
    caches: list[int] = []
    for row, fault in zip(found, scheduled, strict=True):
        row["at"], row["for_seconds"] = fault.at_seconds, fault.for_seconds
        row["pauses"], row["goodbye"] = isinstance(fault.fault, Pause), isinstance(fault.fault, Restart)
        row["lost"], row["region"] = isinstance(fault.fault, Lost), fault.regions[0]
        cleared = fault.caches if fault.nodes == 1 else ()
        row["stations"], row["stations_count"] = len(stations), len(fault.stations)
        row["caches"], row["caches_count"] = len(caches), len(cleared)
        stations += fault.stations
        caches += cleared
    draft.add_numbers(TableId.FAULT_STATIONS, stations)
    draft.add_numbers(TableId.FAULT_CACHES, caches)
    _toxics(draft, links, found)
    _lost_keys(draft, found)
    _replicas(draft, found)
    _regions(draft)


def _toxics(draft: Draft, links: Array, faults: Array) -> None:
    """A toxic for every link that a fault acts on; those of one link together, in the order in which they begin."""
    names, span = draft.prepared.program.links, len(draft.prepared.program.links)
    acting = sorted(
        (names.index(fault.link) + region * span, fault.at_seconds, number)
        for number, fault in enumerate(draft.prepared.faults)
        if fault.link is not None
        for region in fault.regions
    )
    toxics = draft.add(TableId.TOXICS, len(acting))
    by_fault: dict[int, list[int]] = {}
    for index, (link, _, number) in enumerate(acting):
        if not links[link]["toxics_count"]:
            links[link]["toxics"] = index
        links[link]["toxics_count"] += 1
        by_fault.setdefault(number, []).append(index)
        fault, row = draft.prepared.faults[number].fault, toxics[index]
        assert isinstance(fault, LinkFault)  # only link faults have a link
        row["link"], row["end"] = link, fault.end_seconds
        for name, value in toxics_of.values(fault.effect).items():
            row[name] = value
    listed: list[int] = []
    for number, row in enumerate(faults):
        own = by_fault.get(number, [])
        row["toxics"], row["toxics_count"] = len(listed), len(own)
        listed += own
    draft.add_numbers(TableId.FAULT_TOXICS, listed)


def _lost_keys(draft: Draft, found: Array) -> None:
    """Keys that are lost with one node of several, as pairs of cache and slot."""
    keys: list[int] = []
    for row, fault in zip(found, draft.prepared.faults, strict=True):
        row["keys"] = len(keys) // 2
        for cache in fault.caches if fault.nodes > 1 else ():
            name, first = draft.prepared.resources.caches[cache].name, int(draft.tables[TableId.CACHES][cache]["slots"])
            for key in range(draft.keys_counts()[cache]):
                if node_of(name, key, fault.nodes) == fault.node:
                    keys += (cache, first + key)
        row["keys_count"] = len(keys) // 2 - row["keys"]
    draft.add_numbers(TableId.FAULT_KEYS, keys)


def _replicas(draft: Draft, found: Array) -> None:
    """A promotion for each process that a fault ends, and the commits that are counted for it."""
    resources, layout, operations = draft.prepared.resources, draft.prepared.layout, len(draft.operations)
    dying: list[int] = []
    for row, fault in zip(found, draft.prepared.faults, strict=True):
        processes = [index for index in fault.stations if index < len(layout.processes)]
        row["promotions"], row["promotions_count"] = len(dying), len(processes)
        dying += processes
    first = [dead - layout.processes[dead].replica for dead in dying]
    nodes = [layout.nodes(layout.processes[index].group) for index in first]
    draft.add(TableId.PROMOTIONS, len(dying), at=math.nan, first=first, dead=dying, nodes=nodes)
    draft.add(TableId.PRIMARIES, len(resources.stations))
    draft.add(TableId.UNREPLICATED, len(resources.stations) * operations)
    draft.add(TableId.MISSING, len(dying) * operations)
    draft.add(TableId.LOST, operations)


def _regions(draft: Draft) -> None:
    """Which region serves whom, and the round-trip times between regions."""
    resources, operations = draft.prepared.resources, len(draft.operations)
    count, faults = len(resources.regions), len(draft.prepared.faults)
    draft.add_numbers(TableId.SERVING, np.arange(count))
    draft.add_numbers(TableId.RTTS, np.ravel(resources.rtt_seconds))
    draft.add_numbers(TableId.SHARES, [draft.prepared.content.share(region) for region in range(count)])
    draft.add(TableId.NOT_THERE, count * count * operations)
    draft.add(TableId.LACKING, faults * count * operations)
    draft.add(TableId.REROUTES, 2 * faults * count)
