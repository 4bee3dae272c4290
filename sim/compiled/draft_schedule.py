"""Rows of a schedule: every request, and what depends on who asks and what it is about."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from core.operations import OPERATIONS, steps_of
from core.policies.partition import partition_of
from sim.compiled.draft import Draft, rows
from sim.compiled.records import Place
from sim.compiled.world import Array
from sim.flow import Keys, Per
from sim.program import Op


def schedule(draft: Draft) -> None:
    schedule, content = draft.parts.schedule, draft.parts.content
    found = rows(Place.ARRIVALS, max(1, len(schedule)))
    count = len(schedule)
    authors = content.authors(schedule.target, schedule.person)
    people, person_rows = np.unique(schedule.person, return_inverse=True)
    known, author_rows = np.unique(authors, return_inverse=True)
    found["at"][:count], found["act"][:count] = schedule.at_seconds, schedule.act
    found["person"][:count], found["author"][:count] = schedule.person, authors
    found["limit_row"][:count] = person_rows
    found["page"][:count] = person_rows
    instances = np.array([content.instance(person) for person in people.tolist()], dtype=np.int32)
    found["person_instance"][:count] = instances[person_rows]
    instances = np.array([content.instance(author) for author in known.tolist()], dtype=np.int32)
    found["author_instance"][:count] = instances[author_rows]
    plans = [content.fanout(author) for author in known.tolist()]
    pushes = np.array([plan.push_count for plan in plans])
    found["pushes"][:count] = (pushes > 0)[author_rows]
    found["push_count"][:count] = pushes[author_rows]
    homes = np.array([content.home(author) for author in known.tolist()], dtype=np.int32)
    found["author_home"][:count] = homes[author_rows]
    found["readers"][:count] = np.array([content.readers(author) for author in known.tolist()])[author_rows]
    _people(draft, found[:count], people.tolist(), person_rows)
    _counters(draft, found[:count])
    _partitions_of(draft, found[:count], known, author_rows)
    found["photo_bytes"][:count] = np.array([content.photo_bytes(author) for author in known.tolist()])[author_rows]
    draft.tables[Place.ARRIVALS] = found
    _pages(draft, people.tolist())
    _limits(draft, len(people))
    steps: list[int] = []
    acts = rows(Place.ACTS, len(schedule.acts))
    for row, act in zip(acts, schedule.acts, strict=True):
        names = steps_of(act)
        row["steps"], row["steps_count"] = len(steps), len(names)
        steps += [draft.operations.index(name) for name in names]
    draft.tables[Place.ACTS] = acts
    draft.numbers(Place.STEPS, steps)
    most = int(acts["steps_count"][schedule.act].sum()) if count else 0
    draft.tables[Place.SAMPLES] = rows(Place.SAMPLES, most + 1)


def _people(draft: Draft, found: Array, people: list[int], person_rows: Array) -> None:
    """What depends on who asks: the node with their keys, what they pull."""
    content, pulls, known = draft.parts.content, draft.parts.pulls, draft.parts.content.celebrities()
    if draft.parts.scenario.system.redis.nodes > 1:
        found["person_node"] = np.array([content.node(person) for person in people])[person_rows]
    found["person_home"] = np.array([content.home(person) for person in people], dtype=np.int32)[person_rows]
    wanted = {step.per for step in draft.parts.program.instructions}
    for name, per in (("pull_factor", Per.PULL), ("merge_factor", Per.MERGE)):
        if per in wanted:
            factors = [pulls.factor(per, followed=content.pulls(person), known=known) for person in people]
            found[name] = np.array(factors)[person_rows]
    wrote = rows(Place.WROTE, max(1, len(people)))
    wrote[:] = -math.inf
    draft.tables[Place.WROTE] = wrote


def _counters(draft: Draft, found: Array) -> None:
    """Counters of posts, where they lie on more than one node."""
    parts = draft.parts
    if parts.scenario.system.redis.nodes > 1 and len(found):
        posts, counter_rows = np.unique(
            np.array([parts.content.post(target) for target in parts.schedule.target.tolist()]), return_inverse=True
        )
        found["counter"] = counter_rows
        found["counter_node"] = np.array([parts.content.counter_node(post) for post in posts.tolist()])[counter_rows]
        draft.tables[Place.COUNTERS] = rows(Place.COUNTERS, len(posts) * len(parts.layout.regions))


def _partitions_of(draft: Draft, found: Array, authors: Array, author_rows: Array) -> None:
    """Where events of each request go: all topics have the same number of partitions."""
    if not draft.parts.program.topics:
        return
    partitions = draft.parts.program.topics[0].partitions
    keys = np.array([partition_of(str(author).encode(), partitions) for author in authors.tolist()])
    found["author_partition"] = keys[author_rows]
    acts = draft.parts.schedule.acts
    starting = [index for index, act in enumerate(acts) if len(steps_of(act)) > 1 or not _is_read(act)]
    for number in np.flatnonzero(np.isin(draft.parts.schedule.act, starting)).tolist():
        found["number_partition"][number] = partition_of(str(number).encode(), partitions)


def _pages(draft: Draft, people: Iterable[int]) -> None:
    wanted = any(
        step.op in (Op.LOOKUP, Op.MISSED) and step.keys in (Keys.POSTS, Keys.AUTHORS)
        for step in draft.parts.program.instructions
    )
    asked = list(people)
    pages = rows(Place.PAGES, max(1, len(asked)))
    posts: list[int] = []
    authors: list[int] = []
    if wanted:
        for row, person in zip(pages, asked, strict=False):
            own_posts, own_authors = draft.parts.content.page(person)
            row["posts"], row["posts_count"] = len(posts), len(own_posts)
            row["authors"], row["authors_count"] = len(authors), len(own_authors)
            posts += own_posts
            authors += own_authors
    draft.tables[Place.PAGES] = pages
    draft.numbers(Place.PAGE_POSTS, posts)
    draft.numbers(Place.PAGE_AUTHORS, authors)


def _limits(draft: Draft, people: int) -> None:
    entries = rows(Place.ENTRIES, len(draft.operations))
    places = heads = 0
    program = draft.parts.program
    for row, name in zip(entries, draft.operations, strict=True):
        row["front"], row["behind"] = program.entries[name].front, program.entries[name].behind
        limit = draft.parts.plant.limits.get(name)
        if limit is not None:
            row["limit_count"], row["limit_seconds"] = math.ceil(limit[0]), limit[1]
            row["limit_place"], row["limit_heads"] = places, heads
            places += people * int(row["limit_count"])
            heads += people
    draft.tables[Place.ENTRIES] = entries
    draft.tables[Place.RECENTS] = rows(Place.RECENTS, max(1, places))
    draft.tables[Place.RECENT_HEADS] = rows(Place.RECENT_HEADS, max(1, heads))


def _is_read(act: str) -> bool:
    """Whether an act only reads, and so puts nothing on the log."""
    return act in OPERATIONS and OPERATIONS[act].method == "GET"
