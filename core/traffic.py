"""The schedule of one scenario: persons, acts, targets and times, the same for the load generator and the model.

Arrivals are open: they do not depend on how slow the system is. Times count from the end of the warm-up, so warm-up
arrivals have negative times. Everything is drawn from named streams, so one seed gives one schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from core import arrivals, diurnal, streams
from core import population as population_of
from core.homes import home_regions
from core.operations import JOURNEYS, OPERATIONS
from core.scenario.model import Scenario

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ALL: Final = 1 << 62
#: Columns of some arrivals: times, acts, persons, targets.
_Columns = tuple[Floats, Ints, Ints, Ints]

#: Index in a schedule that stands for the viral post.
VIRAL_POST: Final = -1
#: No target: the act is about the person alone.
NO_TARGET: Final = -2

#: Acts of persons who post; one of them acts in place of a person who does not.
BY_A_POSTER: Final = frozenset(
    {
        "media.upload",
        "post.withdraw",
        "story.withdraw",
        "media.withdraw",
        "media.create",
        "media.read",
        "post.create",
        "story.create",
    }
)
#: Acts that are about one post; their target is a post's index (see `Schedule`).
ABOUT_A_POST: Final = frozenset({"post.read", "like.add", "like.remove", "comment.add", "comment.list", "image.read"})
#: Acts that are about another person; their target is that person.
ABOUT_A_PERSON: Final = frozenset(
    {"user.read", "graph.follow", "graph.unfollow", "graph.followers", "graph.following", "user.posts", "search.users"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Arrivals sorted by time; the arrays have one length, and their index, from ``first`` on, is the request's number.

    ``at_seconds`` from t0; ``act`` indexes ``acts``; ``person`` acts; ``target`` is a post's index for acts about a
    post (VIRAL_POST for the viral one), a person for acts about a person, else NO_TARGET. Post index p is the
    ``p // posters``-th post of person ``p % posters``.
    """

    acts: tuple[str, ...]
    at_seconds: Floats
    act: Ints
    person: Ints
    target: Ints
    viral_author: int | None
    viral_at_seconds: float | None
    first: int = 0

    def __len__(self) -> int:
        return len(self.at_seconds)


def draw_schedule(scenario: Scenario, *, seed: int | None = None) -> Schedule:
    """Draw the whole schedule of ``scenario``; another ``seed`` gives another schedule of the same people."""
    return next(windows(scenario, seed=seed))


def windows(scenario: Scenario, *, size: int | None = None, seed: int | None = None) -> Iterator[Schedule]:
    """The same schedule in windows of about ``size`` requests each, or in one; there is at least one window."""
    size = size or _ALL
    people, load, homes = population_of.draw_population(scenario), scenario.traffic, _homes(scenario)
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    acts = tuple(name for name in (*OPERATIONS, *JOURNEYS) if name in _acts_of(scenario))
    usual = _Chooser(scenario, people, "base", load.mix_ratio, acts, homes=homes)
    viral = _Viral(scenario, people, acts) if load.viral is not None else None
    more: list[_Added] = []
    if viral is not None:
        more.append(_Added(arrivals.viral(scenario, size), viral.choose))
    if load.phases:
        burst = _Chooser(scenario, people, "phases", load.mix_ratio, acts, homes=homes)
        more.append(_Added(arrivals.added(scenario, size), burst.choose))
    pieces = (piece for piece in arrivals.base(scenario, size) if len(piece[1]))
    first = 0
    piece: arrivals.Piece | None = next(pieces, (0, np.empty(0)))
    while piece is not None:
        following = next(pieces, None)
        columns = usual.choose(*piece)
        if load.phases:
            left = arrivals.kept(scenario, *piece)
            columns = (columns[0][left], columns[1][left], columns[2][left], columns[3][left])
        until = math.inf if following is None else float(following[1][0])
        parts = [columns, *(found for each in more for found in each.before(until))]
        at, act, person, target = (np.concatenate(column) for column in zip(*parts, strict=True))
        if not len(at) and following is not None:  # a phase without traffic
            piece = following
            continue
        order = np.argsort(at, kind="stable")
        yield Schedule(
            acts=acts,
            at_seconds=at[order],
            act=act[order],
            person=person[order],
            target=target[order],
            viral_author=viral.author if viral is not None else None,
            viral_at_seconds=load.viral.at_seconds if load.viral is not None else None,
            first=first,
        )
        first, piece = first + len(at), following


def _acts_of(scenario: Scenario) -> set[str]:
    names = set(scenario.traffic.mix_ratio)
    if scenario.traffic.viral is not None:
        names |= set(scenario.traffic.viral.mix_ratio)
    return names


def _homes(scenario: Scenario) -> Ints | None:
    """Home regions of all people, if the times of acts depend on them."""
    several = len(scenario.system.regions) > 1
    return home_regions(scenario) if several and scenario.traffic.arrivals == "diurnal" else None


class _Chooser:
    """Draws act, person and target for arrivals of one kind."""

    def __init__(
        self,
        scenario: Scenario,
        people: population_of.Population,
        name: str,
        mix: dict[str, float],
        acts: tuple[str, ...],
        *,
        homes: Ints | None = None,
    ):
        self._scenario, self._people, self._name, self._homes = scenario, people, name, homes
        self._edges = np.cumsum(list(mix.values()))
        self._acts = np.array([acts.index(each) for each in mix], dtype=np.int64)
        self._by_posters, self._about_post, self._about_person = (
            [acts.index(each) for each in acts if each in names]
            for names in (BY_A_POSTER, ABOUT_A_POST, ABOUT_A_PERSON)
        )
        self._author_edges = np.cumsum(people.follower_counts[: people.posters] + 1.0)

    def choose(self, first: int, times: Floats) -> _Columns:
        """Columns of the arrivals from number ``first`` on."""
        people, numbers = self._people, np.arange(first, first + len(times))

        def draw(what: str) -> Floats:
            return streams.named(self._scenario.seed, f"traffic.{self._name}.{what}").uniforms(numbers)

        chosen = np.minimum(np.searchsorted(self._edges, draw("act"), side="right"), len(self._acts) - 1)
        act = self._acts[chosen]
        if self._homes is None:
            person = (draw("person") * people.people).astype(np.int64)
        else:
            person = self._by_region(self._homes, times, draw("person"), draw("region"))
        person = np.where(np.isin(act, self._by_posters), person % people.posters, person)
        author = np.searchsorted(self._author_edges, draw("author") * self._author_edges[-1], side="right")
        nth = (draw("post") * self._scenario.population.posts_per_poster).astype(np.int64)
        post = nth * people.posters + np.minimum(author, people.posters - 1)
        somebody = (draw("somebody") * people.people).astype(np.int64)
        nobody = np.full(len(times), NO_TARGET, dtype=np.int64)
        about_person = np.where(np.isin(act, self._about_person), somebody, nobody)
        return times, act, person, np.where(np.isin(act, self._about_post), post, about_person)

    def _by_region(self, homes: Ints, times: Floats, who: Floats, where: Floats) -> Ints:
        """Persons who act: a region by its share of the traffic at that time, then uniformly one of its people."""
        shares = diurnal.weights(self._scenario, times)
        where = where * shares.sum(axis=0)
        region = np.minimum((np.cumsum(shares, axis=0) <= where).sum(axis=0), len(shares) - 1)
        person = np.empty(len(times), dtype=np.int64)
        for index in range(len(shares)):
            people, mine = np.flatnonzero(homes == index), region == index
            person[mine] = people[(who[mine] * len(people)).astype(np.int64)]
        return person


class _Added:
    """Arrivals that come in addition to the usual ones; their pieces are handed out as the usual ones reach them."""

    def __init__(self, pieces: Iterator[arrivals.Piece], choose: Callable[[int, Floats], _Columns]):
        self._pieces, self._choose = pieces, choose
        self._ahead: arrivals.Piece | None = None

    def before(self, until_seconds: float) -> list[_Columns]:
        """Columns of those that come before a time and were not returned yet."""
        found = []
        while (piece := self._ahead or next(self._pieces, None)) is not None:
            first, times = piece
            count = int(np.searchsorted(times, until_seconds))
            found.append(self._choose(first, times[:count]))
            self._ahead = (first + count, times[count:]) if count < len(times) else None
            if self._ahead is not None:
                break
        return found


class _Viral:
    """Who does what in the traffic that a viral post adds: the author's followers, mostly about that post."""

    def __init__(self, scenario: Scenario, people: population_of.Population, acts: tuple[str, ...]):
        viral = scenario.traffic.viral
        assert viral is not None
        self.author = people.nearest(viral.author.followers)
        self._followers = people.followers(self.author)
        self._chooser = _Chooser(scenario, people, "viral", viral.mix_ratio, acts)
        self._about_a_post = [acts.index(name) for name in acts if name in ABOUT_A_POST]
        self._follower = streams.named(scenario.seed, "traffic.viral.follower")

    def choose(self, first: int, times: Floats) -> _Columns:
        """Columns of the arrivals from number ``first`` on."""
        _, act, person, target = self._chooser.choose(first, times)
        target = np.where(np.isin(act, self._about_a_post), VIRAL_POST, target)
        if len(self._followers):
            pick = self._follower.uniforms(np.arange(first, first + len(times)))
            person = self._followers[(pick * len(self._followers)).astype(np.int64)]
        return times, act, person, target
