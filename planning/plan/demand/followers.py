"""The follower curve of `core.population` for two billion people, summed over ranks in bins.

The k-th most followed person has min(cap, C k^-exponent) followers, with C such that the mean is the scenario's. A list
of everybody would not fit in memory: the first thousand ranks are exact and the rest is in bins of a thousandth of a
decade, within which the curve is linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core.policies import fanout
from core.scenario.model import Fanout, Follows

Floats = npt.NDArray[np.float64]

_EXACT: Final = 1_000
_BINS_PER_DECADE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerCurve:
    """People by number of followers, the most followed first; ``counts`` people of each bin have ``followers`` each."""

    counts: Floats
    followers: Floats

    def mean(self) -> float:
        return float(self.counts @ self.followers / self.counts.sum())

    def pushes_per_post(self, *, posters_ratio: float, settings: Fanout) -> float:
        """Mean number of timelines written for one post, over those who post: the most followed share of the people."""
        posters = max(1.0, round(float(self.counts.sum()) * posters_ratio))
        before = np.concatenate(([0.0], np.cumsum(self.counts)[:-1]))
        posting = np.clip(posters - before, 0.0, self.counts)
        pushed = [_pushed(each, settings) for each in self.followers]
        return float(posting @ np.array(pushed) / posters)

    def celebrities(self, threshold: int) -> tuple[float, float]:
        """(people with at least ``threshold`` followers, how many of them one reader follows on average)."""
        over = self.followers >= threshold
        known = float(self.counts[over].sum())
        return known, float(self.counts[over] @ self.followers[over]) / float(self.counts.sum())


def _pushed(followers: float, settings: Fanout) -> int:
    whole = round(followers)
    celebrity = fanout.is_celebrity(
        followers=whole,
        was_celebrity=False,
        threshold=settings.threshold,
        hysteresis_ratio=settings.hysteresis_ratio,
    )
    return fanout.split(followers=whole, active_followers=whole, celebrity=celebrity).push_count


def curve(settings: Follows, *, people: int) -> FollowerCurve:
    """The curve for ``people`` people."""
    edges = np.arange(1.0, min(people, _EXACT) + 1.0)
    if people > _EXACT:
        decades = np.log10(people / _EXACT)
        tail = np.geomspace(_EXACT, people, max(2, round(decades * _BINS_PER_DECADE)))
        edges = np.unique(np.concatenate((edges, np.round(tail))))
    edges = np.append(edges, people + 1.0)
    counts = np.diff(edges)
    middle = (edges[:-1] + edges[1:] - 1.0) / 2.0
    shape = middle**-settings.exponent
    cap = float(min(settings.maximum, people - 1))
    wanted = settings.mean * people
    low, high = 0.0, cap / shape[-1]
    for _ in range(200):  # bisection on the scale: the capped sum grows with it
        scale = (low + high) / 2.0
        if float(counts @ np.minimum(shape * scale, cap)) < wanted:
            low = scale
        else:
            high = scale
    return FollowerCurve(counts=counts, followers=np.minimum(shape * high, cap))
