"""People and who follows whom, as functions of a person's number: nobody stores the graph, every side computes it.

Person 0 is the most followed. The k-th person (from 0) has followers in proportion to (k + 1)^-exponent, capped, and
scaled so that the mean is what the scenario says. Who they are is an affine permutation of the people that is drawn for
each followee from the seed; it can be inverted, so "does a follow b?" is one multiplication.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import streams
from core.scenario.model import Population as PopulationSettings
from core.scenario.model import Scenario

Ints = npt.NDArray[np.int64]


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
        """Say whether ``follower`` follows ``followee``."""
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


def of(scenario: Scenario) -> Population:
    """The people of ``scenario``."""
    settings = scenario.population
    return Population(
        settings=settings,
        follower_counts=_follower_counts(settings),
        stream=streams.named(scenario.seed, "population"),
    )


def _follower_counts(settings: PopulationSettings) -> Ints:
    ranks = np.arange(1, settings.people + 1, dtype=np.float64)
    shape = ranks**-settings.follows.exponent
    cap = float(min(settings.follows.maximum, settings.people - 1))
    wanted = settings.follows.mean * settings.people
    low, high = 0.0, cap / shape[-1]
    for _ in range(200):  # bisection on the scale: the capped sum grows with it
        middle = (low + high) / 2
        if np.minimum(shape * middle, cap).sum() < wanted:
            low = middle
        else:
            high = middle
    exact = np.minimum(shape * high, cap)
    counts = np.floor(exact).astype(np.int64)
    missing = round(wanted) - int(counts.sum())
    if missing > 0:  # largest remainders, so that the mean is exact
        order = np.argsort(-(exact - counts), kind="stable")[:missing]
        counts[order] += 1
    result: Ints = np.minimum(counts, int(cap))
    return np.sort(result)[::-1].copy()


_FIRST = ("Ada", "Ben", "Chloe", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mina", "Nils",
          "Omar", "Pia", "Quinn", "Rosa", "Sami", "Tara", "Uma", "Vera", "Wim", "Xenia", "Yara", "Zeno")  # fmt: skip
_LAST = ("Abebe", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen", "Kaur",
         "Lopez", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber")  # fmt: skip
