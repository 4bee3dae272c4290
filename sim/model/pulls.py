"""The CPU of pulling celebrities' posts, relative to the CPU in calibration.

One round trip intersects the set of celebrities with the set of the reader's followees, and reads the newest posts of
those in both. So the cost has a fixed part and a part for every celebrity followed, and almost none for celebrities
whom the reader does not follow: they are looked up only if they are fewer than the reader's followees.
Measured with the feed's script on Redis 7.0 (36 posts each): 30 µs + 0.003 µs × known + 18.5 µs × followed in the
store, and 97 µs + 17 µs × followed in the calling process. Here the unit is the cost of one celebrity followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.profile import Profile
from sim.model.flow import Per

#: Keys of `Profile.batch_sizes`.
FOLLOWED: Final = "feed.pull"
KNOWN: Final = "feed.celebrities"
#: Cost of the request itself and of one celebrity known.
_COSTS: Final = {Per.PULL: (1.6, 0.0002), Per.MERGE: (5.7, 0.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulls:
    """Celebrities in calibration: the mean number that a reader followed, and how many there were. 1 where the profile
    has no figure."""

    followed_mean: float = 1.0
    known: float = 1.0

    @classmethod
    def from_profile(cls, profile: Profile) -> Pulls:
        """The figures of the profile's calibration."""
        sizes = profile.batch_sizes
        return cls(followed_mean=sizes.get(FOLLOWED, 1.0), known=sizes.get(KNOWN, 1.0))

    @staticmethod
    def costs(per: Per) -> tuple[float, float]:
        """Cost of the request itself and of one celebrity known, in units of one celebrity followed."""
        return _COSTS[per]

    def factor(self, per: Per, *, followed: float, known: float) -> float:
        """CPU of one pull over the mean CPU in calibration."""
        asking, each = _COSTS[per]
        return (asking + each * known + followed) / (asking + each * self.known + self.followed_mean)
