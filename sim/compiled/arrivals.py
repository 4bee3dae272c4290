"""The schedule as rows: what each request is about, worked out before it arrives, window after window.

Rows of requests form a ring, so that a long run holds those of a few windows only; people and counters keep their rows.
In a run of one window nothing is ever replaced.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from core.names import Component
from core.operations import OPERATIONS, steps_of
from core.traffic import NO_TARGET, Schedule
from sim.compiled.draft import rows as empty_rows
from sim.compiled.keys import partitions_of
from sim.compiled.memory import Array, Memory
from sim.compiled.records import NOBODY, TableId
from sim.model.flow import Keys, Per, Where
from sim.model.prepared import PreparedRun
from sim.model.program import Op, Program

#: Answers that a long run holds before they are counted; a short one holds all.
_ANSWERS: Final = 1 << 16
_MANY: Final = 1 << 62


class ArrivalRows:
    """Makes the rows of each window; operations are indices of ``operations``."""

    def __init__(self, prepared: PreparedRun, operations: tuple[str, ...]):
        self._prepared, self._operations = prepared, operations
        people = prepared.content.people
        self._person_rows = np.full(people.people, NOBODY, dtype=np.int32)
        self._people_count = 0
        self._counted = prepared.scenario.system.redis.nodes > 1
        # by target of an act: a post, a person, the viral post, or none, which is −2
        targets = 3 + max(people.people, people.posters * prepared.scenario.population.posts_per_poster)
        self._counter_rows = np.full(targets if self._counted else 0, NOBODY, dtype=np.int32)
        self._counters_count = 0
        self._pages = any(
            step.op in (Op.LOOKUP, Op.MISSED) and step.keys in (Keys.POSTS, Keys.AUTHORS)
            for step in prepared.program.instructions
        )
        self._personal = {name for name in operations if name in OPERATIONS and _is_personal(prepared.program, name)}
        self._limits = {name: limit for name, limit in prepared.resources.limits.items() if name in operations}
        self._later: Iterator[Schedule] = prepared.later()
        self._reached_seconds = math.inf
        self._held: dict[TableId, int] = {}  # rows of tables that grow

    # --- before the run ---------------------------------------------------------------------------------------------

    def tables(self) -> dict[TableId, Array]:
        """The first window, and the tables that do not change."""
        schedule, long = self._prepared.schedule, self._prepared.long
        rows, grown = self._window(schedule)
        ring = rows
        if long:
            ring = empty_rows(TableId.ARRIVALS, _power_of_two(2 * len(rows)))
            ring[: len(rows)] = rows
            self._reached_seconds = float(schedule.at_seconds[-1])
        for table, added in grown.items():
            self._held[table] = len(added)
        steps: list[int] = []
        acts = empty_rows(TableId.ACTS, len(schedule.acts))
        for row, act in zip(acts, schedule.acts, strict=True):
            names = steps_of(act)
            row["steps"], row["steps_count"] = len(steps), len(names)
            steps += [self._operations.index(name) for name in names]
        most = _ANSWERS if long else int(acts["steps_count"][schedule.act].sum()) + 1
        return {
            **grown,
            TableId.ENTRIES: self._entries(),
            TableId.ARRIVALS: ring,
            TableId.ACTS: acts,
            TableId.STEPS: np.array(steps, dtype=np.int64),
            TableId.SAMPLES: empty_rows(TableId.SAMPLES, most),
        }

    def clock(self, row: Any) -> None:
        """Set the fields of the clock's row that depend on the schedule."""
        count = len(self._prepared.schedule)
        row["open"] = row["arrivals_count"] = count
        row["arrivals_mask"] = _power_of_two(2 * count) - 1 if self._prepared.long else -1
        row["samples_max"] = _ANSWERS if self._prepared.long else _MANY
        row["limits_count"] = len(self._limits)

    def _entries(self) -> Array:
        """Operations and their limits; each person has a window for every limit, in this order."""
        entries = empty_rows(TableId.ENTRIES, len(self._operations))
        program, limits_count = self._prepared.program, 0
        for row, name in zip(entries, self._operations, strict=True):
            row["front"], row["behind"] = program.entries[name].front, program.entries[name].behind
            limit = self._limits.get(name)
            if limit is not None:
                row["limit_quota"], row["limit_seconds"], row["limit_index"] = *limit, limits_count
                limits_count += 1
        return entries

    # --- while it lasts ---------------------------------------------------------------------------------------------

    def feed(self, memory: Memory, *, until_seconds: float) -> None:
        """Add windows up to a request after ``until_seconds``, so that the loop never reaches the last row."""
        while self._reached_seconds < until_seconds:
            schedule = next(self._later, None)
            if schedule is None:
                self._reached_seconds = math.inf
                return
            rows, grown = self._window(schedule)
            self._make_room(memory, schedule.first + len(rows))
            clock = memory.clock
            numbers = np.arange(schedule.first, schedule.first + len(rows))
            memory[TableId.ARRIVALS][numbers & int(clock["arrivals_mask"])] = rows
            clock["arrivals_count"] += len(rows)
            clock["open"] += len(rows)
            for table, added in grown.items():
                memory.extend(table, self._held[table], added)
                self._held[table] += len(added)
            self._reached_seconds = float(schedule.at_seconds[-1])

    def _make_room(self, memory: Memory, end: int) -> None:
        """Make the ring hold every request that is still under way, up to the one before number ``end``."""
        clock, requests, ring = memory.clock, memory[TableId.REQUESTS], memory[TableId.ARRIVALS]
        busy = requests["number"][requests["users"] > 0]
        oldest = min(int(clock["arrival"]), int(busy.min()) if len(busy) else _MANY)
        mask = int(clock["arrivals_mask"])
        if end - oldest <= mask + 1:
            return
        larger = empty_rows(TableId.ARRIVALS, _power_of_two(end - oldest))
        numbers = np.arange(oldest, int(clock["arrivals_count"]))
        larger[numbers & (len(larger) - 1)] = ring[numbers & mask]
        memory.replace(TableId.ARRIVALS, larger)
        clock["arrivals_mask"] = len(larger) - 1
        requests["arrival"] = requests["number"] & (len(larger) - 1)

    def _window(self, schedule: Schedule) -> tuple[Array, dict[TableId, Array]]:
        """Rows of a window's requests, and rows to be added for people and counters that are new."""
        prepared, content = self._prepared, self._prepared.content
        found = empty_rows(TableId.ARRIVALS, len(schedule))
        authors = content.authors(schedule.target, schedule.person)
        found["at"], found["act"] = schedule.at_seconds, schedule.act
        found["person"], found["author"] = schedule.person, authors
        found["person_home"], found["author_home"] = content.homes[schedule.person], content.homes[authors]
        found["photo_bytes"] = content.photos_bytes(authors)
        # requests that nothing does by person or author, such as those for images, need no rows of people
        personal = [act for act, name in enumerate(schedule.acts) if not self._personal.isdisjoint(steps_of(name))]
        ours = np.flatnonzero(np.isin(schedule.act, personal))
        inside = found[ours]
        people, person_rows = np.unique(inside["person"], return_inverse=True)
        known, author_rows = np.unique(inside["author"], return_inverse=True)
        new = people[self._person_rows[people] < 0]
        self._person_rows[new] = self._people_count + np.arange(len(new))
        self._people_count += len(new)
        inside["limit_row"] = self._person_rows[inside["person"]]
        inside["person_instance"] = _each(content.instance, people)[person_rows]
        inside["author_instance"] = _each(content.instance, known)[author_rows]
        pushes, pulls = content.splits(known)
        inside["pushes"], inside["push_count"] = (pushes > 0)[author_rows], pushes[author_rows]
        inside["readers"] = (pushes + pulls)[author_rows]
        if prepared.scenario.system.redis.nodes > 1:
            inside["person_node"] = _each(content.node, people)[person_rows]
        self._pull_factors(inside, people, person_rows)
        self._partitions(inside, schedule, known, author_rows, ours)
        grown = self._new_people(new, inside)
        if self._counted:
            grown[TableId.COUNTERS] = self._counters(inside, schedule.target[ours])
        found[ours] = inside
        return found, grown

    def _pull_factors(self, found: Array, people: Array, person_rows: Array) -> None:
        """Cost to the store and to the service of pulling celebrities' posts for each person who asks."""
        content, pulls, known = self._prepared.content, self._prepared.pulls, self._prepared.content.celebrities()
        wanted = {step.per for step in self._prepared.program.instructions} & {Per.PULL, Per.MERGE}
        if not wanted:
            return
        followed, rows = np.array([content.mean_pull_count()]), np.zeros(len(people), dtype=np.int64)
        if content.tabulated:
            followed, rows = np.unique([content.pulls(person) for person in people.tolist()], return_inverse=True)
        for name, per in (("pull_factor", Per.PULL), ("merge_factor", Per.MERGE)):
            if per in wanted:
                factors = [pulls.factor(per, followed=each, known=known) for each in followed.tolist()]
                found[name] = np.array(factors)[rows][person_rows]

    def _partitions(self, found: Array, schedule: Schedule, authors: Array, author_rows: Array, ours: Array) -> None:
        """Where events of each request go: all topics have the same number of partitions."""
        if not self._prepared.program.topics:
            return
        partitions = self._prepared.program.topics[0].partitions
        found["author_partition"] = partitions_of(authors, partitions)[author_rows]
        starting = [index for index, act in enumerate(schedule.acts) if len(steps_of(act)) > 1 or not _is_read(act)]
        rows = np.flatnonzero(np.isin(found["act"], starting))
        found["number_partition"][rows] = partitions_of(schedule.first + ours[rows], partitions)

    def _new_people(self, people: Array, found: Array) -> dict[TableId, Array]:
        """Rows of people who ask for the first time: their page, their last commit, their windows under limits."""
        content, alike = self._prepared.content, not self._prepared.content.tabulated
        windows = len(people) * len(self._limits)
        found["page"] = 0 if alike else found["limit_row"]
        posts: list[int] = []
        authors: list[int] = []
        shown: list[int] = people.tolist()
        if alike:  # one page for all
            shown = [0] if not self._held else []
        pages = empty_rows(TableId.PAGES, len(shown))
        for row, person in zip(pages, shown if self._pages else [], strict=False):
            own_posts, own_authors = content.page(person)
            row["posts"], row["posts_count"] = self._held.get(TableId.PAGE_POSTS, 0) + len(posts), len(own_posts)
            row["authors"] = self._held.get(TableId.PAGE_AUTHORS, 0) + len(authors)
            row["authors_count"] = len(own_authors)
            posts += own_posts
            authors += own_authors
        return {
            TableId.WROTE: np.full(len(people), -math.inf),
            TableId.WINDOWS_BEGAN: np.full(windows, -math.inf),
            TableId.WINDOWS_COUNT: empty_rows(TableId.WINDOWS_COUNT, windows),
            TableId.PAGES: pages,
            TableId.PAGE_POSTS: np.array(posts, dtype=np.int64),
            TableId.PAGE_AUTHORS: np.array(authors, dtype=np.int64),
        }

    def _counters(self, found: Array, targets: Array) -> Array:
        """Counters of posts, where they lie on more than one node; of the new ones a row for each region."""
        content, regions = self._prepared.content, len(self._prepared.layout.regions)
        posts = content.posts(targets)
        asked, rows = np.unique(posts, return_inverse=True)
        new = asked[self._counter_rows[asked - NO_TARGET] < 0]
        self._counter_rows[new - NO_TARGET] = self._counters_count + np.arange(len(new))
        self._counters_count += len(new)
        found["counter"] = self._counter_rows[posts - NO_TARGET]
        found["counter_node"] = _each(content.counter_node, asked)[rows]
        return empty_rows(TableId.COUNTERS, len(new) * regions)


def _each(function: Callable[[int], int], values: Array) -> Array:
    return np.array([function(value) for value in values.tolist()], dtype=np.int32)


def _is_personal(program: Program, operation: str) -> bool:
    """Whether an operation comes to one of our services, or has a step that is done by person or author."""
    if isinstance(OPERATIONS[operation].component, Component):
        return True
    entry = program.entries[operation]
    pending = [entry.front, entry.behind]
    while pending:
        step = program.instructions[pending.pop()]
        if step.where not in (Where.ANY, Where.TURN, Where.GATEWAY, Where.EACH):
            return True
        pending += step.children
    return False


def _is_read(act: str) -> bool:
    """Whether an act only reads, and so puts nothing on the log."""
    return act in OPERATIONS and OPERATIONS[act].method == "GET"


def _power_of_two(count: int) -> int:
    return 1 << max(0, count - 1).bit_length()
