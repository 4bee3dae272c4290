"""Rows of faults: links and their toxics, processes, replicas, regions."""

from __future__ import annotations

import math

import numpy as np

from core.scenario.fault import LinkFault
from core.scenario.faults import Lost, Pause, Restart
from sim.compiled.draft import Draft, rows
from sim.compiled.memory import Array
from sim.compiled.records import TableId
from sim.model import toxics as toxics_of
from sim.model.caches import node_of


def faults(draft: Draft) -> None:
    resources = draft.prepared.resources
    links = rows(TableId.LINKS, max(1, len(resources.links)))
    for row, link in zip(links, resources.links, strict=False):
        row["mu"], row["sigma"] = link.mu, link.sigma
    found = rows(TableId.FAULTS, max(1, len(draft.prepared.faults)))
    stations: list[int] = []
    caches: list[int] = []
    for row, fault in zip(found, draft.prepared.faults, strict=False):
        row["at"], row["for_seconds"] = fault.at_seconds, fault.for_seconds
        row["began"] = row["ended"] = math.nan
        row["pauses"], row["goodbye"] = isinstance(fault.fault, Pause), isinstance(fault.fault, Restart)
        row["lost"], row["region"] = isinstance(fault.fault, Lost), fault.regions[0]
        row["stations"], row["stations_count"] = len(stations), len(fault.stations)
        row["caches"], row["caches_count"] = len(caches), len(fault.caches) if fault.nodes == 1 else 0
        stations += fault.stations
        caches += fault.caches if fault.nodes == 1 else ()
    _toxics(draft, links, found)
    _lost_keys(draft, found)
    _replicas(draft, found)
    _regions(draft, len(found))
    draft.tables |= {TableId.LINKS: links, TableId.FAULTS: found}
    draft.numbers(TableId.FAULT_STATIONS, stations)
    draft.numbers(TableId.FAULT_CACHES, caches)


def _toxics(draft: Draft, links: Array, faults: Array) -> None:
    """A toxic for every link that a fault acts on; those of one link together, in the order in which they begin."""
    names, span = draft.prepared.program.links, len(draft.prepared.program.links)
    acting = sorted(
        (names.index(fault.link) + region * span, fault.at_seconds, number)
        for number, fault in enumerate(draft.prepared.faults)
        if fault.link is not None
        for region in fault.regions
    )
    toxics = rows(TableId.TOXICS, max(1, len(acting)))
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
    for number, row in enumerate(faults[: len(draft.prepared.faults)]):
        row["toxics"], row["toxics_count"] = len(listed), len(by_fault.get(number, ()))
        listed += by_fault.get(number, ())
    draft.tables[TableId.TOXICS] = toxics
    draft.numbers(TableId.FAULT_TOXICS, listed)


def _lost_keys(draft: Draft, found: Array) -> None:
    """Keys that are lost with one node of several, as pairs of cache and slot."""
    keys: list[int] = []
    for row, fault in zip(found, draft.prepared.faults, strict=False):
        row["keys"] = len(keys) // 2
        for cache in fault.caches if fault.nodes > 1 else ():
            name, first = draft.prepared.resources.caches[cache].name, int(draft.tables[TableId.CACHES][cache]["slots"])
            for key in range(draft.keys_counts()[cache]):
                if node_of(name, key, fault.nodes) == fault.node:
                    keys += (cache, first + key)
        row["keys_count"] = len(keys) // 2 - row["keys"]
    draft.numbers(TableId.FAULT_KEYS, keys)


def _replicas(draft: Draft, found: Array) -> None:
    """Rows of promotions: one for each process that a fault ends."""
    resources, layout, operations = draft.prepared.resources, draft.prepared.layout, len(draft.operations)
    dying: list[int] = []
    for row, fault in zip(found, draft.prepared.faults, strict=False):
        processes = [index for index in fault.stations if index < len(layout.processes)]
        row["promotions"], row["promotions_count"] = len(dying), len(processes)
        dying += processes
    promotions = rows(TableId.PROMOTIONS, max(1, len(dying)))
    promotions["at"] = math.nan
    for row, dead in zip(promotions, dying, strict=False):
        first = dead - layout.processes[dead].replica
        row["first"], row["dead"] = first, dead
        row["nodes"] = layout.nodes(layout.processes[first].group)
    draft.tables |= {
        TableId.PROMOTIONS: promotions,
        TableId.PRIMARIES: np.zeros(len(resources.stations), dtype=np.int64),
        TableId.UNREPLICATED: rows(TableId.UNREPLICATED, len(resources.stations) * operations),
        TableId.MISSING: rows(TableId.MISSING, len(promotions) * operations),
        TableId.LOST: rows(TableId.LOST, operations),
    }


def _regions(draft: Draft, faults: int) -> None:
    """Which region serves whom, and the round-trip times between regions."""
    resources, operations = draft.prepared.resources, len(draft.operations)
    count = len(resources.regions)
    draft.tables |= {
        TableId.SERVING: np.arange(count, dtype=np.int64),
        TableId.RTTS: np.array(resources.rtt_seconds, dtype=np.float64).reshape(-1),
        TableId.SHARES: np.array([draft.prepared.content.share(region) for region in range(count)]),
        TableId.NOT_THERE: rows(TableId.NOT_THERE, count * count * operations),
        TableId.LACKING: rows(TableId.LACKING, faults * count * operations),
        TableId.REROUTES: rows(TableId.REROUTES, 2 * faults * count + 1),
    }
