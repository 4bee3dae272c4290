"""What a reader's pull of celebrities' posts costs, against what it cost in calibration.

One round trip meets the set of those who are pulled with the set of those whom the reader follows, and reads the newest
posts of those in both; so the cost has a part for asking and one for every celebrity followed, and next to none for
celebrities whom the reader does not follow: they are looked up only while they are fewer than the reader's followees.
Measured with the feed's own script on Redis 7.0 (36 posts each): 30 µs + 0.003 µs × known + 18.5 µs × followed in the
store, and 97 µs + 17 µs × followed in the process that asks. Here they count in units of one celebrity followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.profile import Profile
from sim.model.flow import Per

#: Keys of `Profile.batch_sizes`.
FOLLOWED: Final = "feed.pull"
KNOWN: Final = "feed.celebrities"
#: Of asking, and of one celebrity known.
_COSTS: Final = {Per.PULL: (1.6, 0.0002), Per.MERGE: (5.7, 0.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulls:
    """Celebrities in calibration: followed by a reader in the mean, and known. One where no profile tells."""

    followed_mean: float = 1.0
    known: float = 1.0

    @classmethod
    def of(cls, profile: Profile) -> Pulls:
        """As a profile tells."""
        told = profile.batch_sizes
        return cls(followed_mean=told.get(FOLLOWED, 1.0), known=told.get(KNOWN, 1.0))

    @staticmethod
    def costs(per: Per) -> tuple[float, float]:
        """What asking costs, and one celebrity known, over one celebrity followed."""
        return _COSTS[per]

    def factor(self, per: Per, *, followed: float, known: float) -> float:
        """CPU of one pull over the calibrated one's mean."""
        asking, each = _COSTS[per]
        return (asking + each * known + followed) / (asking + each * self.known + self.followed_mean)
