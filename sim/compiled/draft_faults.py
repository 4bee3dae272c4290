"""Rows of what breaks: links and their toxics, processes, replicas, regions."""

from __future__ import annotations

import math

import numpy as np

from core.scenario.fault import LinkFault
from core.scenario.faults import Lost, Pause, Restart
from sim.compiled.draft import Draft, rows
from sim.compiled.records import Place
from sim.compiled.world import Array
from sim.model import toxics as toxics_of
from sim.model.caches import node_of


def faults(draft: Draft) -> None:
    resources = draft.prepared.resources
    links = rows(Place.LINKS, max(1, len(resources.links)))
    for row, link in zip(links, resources.links, strict=False):
        row["mu"], row["sigma"] = link.mu, link.sigma
    found = rows(Place.DEEDS, max(1, len(draft.prepared.faults)))
    stations: list[int] = []
    caches: list[int] = []
    for row, deed in zip(found, draft.prepared.faults, strict=False):
        row["at"], row["for_seconds"] = deed.at_seconds, deed.for_seconds
        row["began"] = row["ended"] = math.nan
        row["pauses"], row["goodbye"] = isinstance(deed.fault, Pause), isinstance(deed.fault, Restart)
        row["lost"], row["region"] = isinstance(deed.fault, Lost), deed.regions[0]
        row["stations"], row["stations_count"] = len(stations), len(deed.stations)
        row["caches"], row["caches_count"] = len(caches), len(deed.caches) if deed.nodes == 1 else 0
        stations += deed.stations
        caches += deed.caches if deed.nodes == 1 else ()
    _toxics(draft, links, found)
    _lost_keys(draft, found)
    _replicas(draft, found)
    _regions(draft, len(found))
    draft.tables |= {Place.LINKS: links, Place.DEEDS: found}
    draft.numbers(Place.DEED_STATIONS, stations)
    draft.numbers(Place.DEED_CACHES, caches)


def _toxics(draft: Draft, links: Array, deeds: Array) -> None:
    """A toxic for every link that a fault acts on; those of one link together, in the order in which they begin."""
    names, span = draft.prepared.program.links, len(draft.prepared.program.links)
    acting = sorted(
        (names.index(deed.link) + region * span, deed.at_seconds, number)
        for number, deed in enumerate(draft.prepared.faults)
        if deed.link is not None
        for region in deed.regions
    )
    toxics = rows(Place.TOXICS, max(1, len(acting)))
    by_deed: dict[int, list[int]] = {}
    for place, (link, _, number) in enumerate(acting):
        if not links[link]["faults_count"]:
            links[link]["faults"] = place
        links[link]["faults_count"] += 1
        by_deed.setdefault(number, []).append(place)
        fault, row = draft.prepared.faults[number].fault, toxics[place]
        assert isinstance(fault, LinkFault)  # that of a deed to a link
        row["link"], row["end"] = link, fault.end_seconds
        for name, value in toxics_of.values(fault.effect).items():
            row[name] = value
    listed: list[int] = []
    for number, row in enumerate(deeds[: len(draft.prepared.faults)]):
        row["toxics"], row["toxics_count"] = len(listed), len(by_deed.get(number, ()))
        listed += by_deed.get(number, ())
    draft.tables[Place.TOXICS] = toxics
    draft.numbers(Place.DEED_TOXICS, listed)


def _lost_keys(draft: Draft, found: Array) -> None:
    """Keys that are lost with one node of several, as pairs of cache and slot."""
    keys: list[int] = []
    for row, deed in zip(found, draft.prepared.faults, strict=False):
        row["keys"] = len(keys) // 2
        for cache in deed.caches if deed.nodes > 1 else ():
            name, first = draft.prepared.resources.caches[cache].name, int(draft.tables[Place.CACHES][cache]["slots"])
            for key in range(draft.keys_counts()[cache]):
                if node_of(name, key, deed.nodes) == deed.node:
                    keys += (cache, first + key)
        row["keys_count"] = len(keys) // 2 - row["keys"]
    draft.numbers(Place.DEED_KEYS, keys)


def _replicas(draft: Draft, found: Array) -> None:
    """Who takes the place of each process that dies, where it is a database's."""
    resources, layout, operations = draft.prepared.resources, draft.prepared.layout, len(draft.operations)
    dying: list[int] = []
    for row, deed in zip(found, draft.prepared.faults, strict=False):
        processes = [place for place in deed.stations if place < len(layout.processes)]
        row["promotions"], row["promotions_count"] = len(dying), len(processes)
        dying += processes
    promotions = rows(Place.PROMOTIONS, max(1, len(dying)))
    promotions["at"] = math.nan
    for row, dead in zip(promotions, dying, strict=False):
        first = dead - layout.processes[dead].replica
        row["first"], row["dead"] = first, dead
        row["nodes"] = layout.nodes(layout.processes[first].group)
    draft.tables |= {
        Place.PROMOTIONS: promotions,
        Place.PRIMARIES: np.zeros(len(resources.stations), dtype=np.int64),
        Place.UNREPLICATED: rows(Place.UNREPLICATED, len(resources.stations) * operations),
        Place.MISSING: rows(Place.MISSING, len(promotions) * operations),
        Place.LOST: rows(Place.LOST, operations),
    }


def _regions(draft: Draft, deeds: int) -> None:
    """Who serves whom, and how far regions are from each other."""
    resources, operations = draft.prepared.resources, len(draft.operations)
    count = len(resources.regions)
    draft.tables |= {
        Place.SERVING: np.arange(count, dtype=np.int64),
        Place.RTTS: np.array(resources.rtt_seconds, dtype=np.float64).reshape(-1),
        Place.SHARES: np.array([draft.prepared.content.share(region) for region in range(count)]),
        Place.NOT_THERE: rows(Place.NOT_THERE, count * count * operations),
        Place.LACKING: rows(Place.LACKING, deeds * count * operations),
        Place.REROUTES: rows(Place.REROUTES, 2 * deeds * count + 1),
    }
