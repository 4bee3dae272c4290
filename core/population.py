"""People and the follow graph, as functions of a person's number: the graph is not stored, both sides compute it.

Person 0 is the most followed. The number of followers of the k-th person (from 0) is proportional to (k + 1)^-exponent,
capped, and scaled to the scenario's mean. The followers are the first ones of an affine permutation of the people that
is drawn from the seed for each followee; it can be inverted, so "does a follow b?" is one multiplication.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core import streams
from core.scenario.model import PopulationSettings, Scenario

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Relative error of a sum of positive numbers from both ends: less than this; about 10⁻¹² in fact.
_SURE: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The people of one scenario; a person is a number from 0."""

    settings: PopulationSettings
    follower_counts: Ints  # by person, descending
    stream: streams.Stream

    @property
    def people(self) -> int:
        """How many people there are."""
        return self.settings.people

    @property
    def posters(self) -> int:
        """How many people post: persons 0 … posters − 1."""
        return max(1, round(self.settings.people * self.settings.posters_ratio))

    @property
    def follow_count(self) -> int:
        """Edges of the graph."""
        return int(self.follower_counts.sum())

    def username(self, person: int) -> str:
        """The name under which this person signs up."""
        return f"person_{person:06d}"

    def password(self, person: int) -> str:
        """The password of a test person: a function of seed and number, worth nothing elsewhere."""
        return f"pw-{self.stream.bits(person, 7):016x}"

    def display_name(self, person: int) -> str:
        """A name to show and to search for."""
        return f"{_FIRST[person % len(_FIRST)]} {_LAST[person // len(_FIRST) % len(_LAST)]} {person}"

    def followers(self, person: int) -> Ints:
        """Everybody who follows this person."""
        return self._everybody_else(person, np.arange(self.follower_counts[person]))

    def follows(self, follower: int, followee: int) -> bool:
        """Whether ``follower`` follows ``followee``."""
        if follower == followee:
            return False
        others = self.people - 1
        factor, offset = self._permutation(followee)
        place = (follower - followee - 1) % self.people
        position = (place - offset) * pow(factor, -1, others) % others if others > 1 else 0
        return position < int(self.follower_counts[followee])

    def following(self, person: int) -> Ints:
        """Everybody whom this person follows, the most followed first."""
        found = [other for other in range(self.people) if self.follower_counts[other] and self.follows(person, other)]
        return np.array(found, dtype=np.int64)

    def nearest(self, followers: int) -> int:
        """The person whose number of followers is nearest to ``followers`` (of several, the first)."""
        return int(np.argmin(np.abs(self.follower_counts - followers)))

    def edges(self) -> Iterator[tuple[int, int]]:
        """Every (follower, followee), by followee."""
        for person in range(self.people):
            for follower in self.followers(person):
                yield int(follower), person

    def _everybody_else(self, person: int, positions: Ints) -> Ints:
        factor, offset = self._permutation(person)
        places = (positions * factor + offset) % max(1, self.people - 1)
        return (person + 1 + places) % self.people

    def _permutation(self, person: int) -> tuple[int, int]:
        others = max(1, self.people - 1)
        factor = 1 + self.stream.bits(person, 0) % others
        while math.gcd(factor, others) != 1:
            factor = factor % others + 1
        return factor, self.stream.bits(person, 1) % others


def draw_population(scenario: Scenario) -> Population:
    """The people of ``scenario``."""
    settings = scenario.population
    return Population(
        settings=settings,
        follower_counts=_follower_counts(settings),
        stream=streams.named(scenario.seed, "population"),
    )


@functools.lru_cache(maxsize=4)
def _follower_counts(settings: PopulationSettings) -> Ints:
    """Followers by person; cached, because every run of a study needs the same array, and therefore read-only."""
    shape = np.arange(1, settings.people + 1, dtype=np.float64) ** -settings.follows.exponent
    cap = float(min(settings.follows.maximum, settings.people - 1))
    exact = np.minimum(shape * _scale(shape, cap, settings.follows.mean * settings.people), cap)
    counts = np.floor(exact).astype(np.int64)
    missing = round(settings.follows.mean * settings.people) - int(counts.sum())
    if missing > 0:  # largest remainders, so that the mean is exact
        order = np.argsort(-(exact - counts), kind="stable")[:missing]
        counts[order] += 1
    result: Ints = np.sort(np.minimum(counts, int(cap)))[::-1].copy()
    result.setflags(write=False)
    return result


def _scale(shape: Floats, cap: float, wanted: float) -> float:
    """The least scale at which the capped sum of ``shape`` × scale, which grows with it, is ``wanted``: by bisection.

    The sum of millions is computed only if a sum from both ends, which is accurate to many digits, does not decide.
    """
    from_here, ascending, work = np.cumsum(shape[::-1])[::-1], -shape, np.empty_like(shape)
    low, high = 0.0, cap / float(shape[-1])
    while low < (middle := (low + high) / 2.0) < high:
        capped = int(np.searchsorted(ascending, -cap / middle))
        about = cap * capped + (middle * float(from_here[capped]) if capped < len(shape) else 0.0)
        if abs(about - wanted) < _SURE * wanted:
            about = float(np.minimum(np.multiply(shape, middle, out=work), cap, out=work).sum())
        if about < wanted:
            low = middle
        else:
            high = middle
    return high


_FIRST = ("Ada", "Ben", "Chloe", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mina", "Nils",
          "Omar", "Pia", "Quinn", "Rosa", "Sami", "Tara", "Uma", "Vera", "Wim", "Xenia", "Yara", "Zeno")  # fmt: skip
_LAST = ("Abebe", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen", "Kaur",
         "Lopez", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber")  # fmt: skip
