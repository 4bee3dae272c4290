"""Recovery: whether a system comes back after its load or a part of it was disturbed, from the seconds that follow.

A second is bad if more of its requests were slow or failed than chance explains within the expectations: the test of a
drill's recovery (`core.judge`). One bad second is no verdict, because a busy system has some, so stretches of
`STRETCH` seconds count: the system is down in a stretch if most of its seconds are bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core import judge
from core.names import Outcome
from core.run import Samples
from core.scenario.model import Scenario

#: Seconds of which most must be bad for the system to be down.
STRETCH: Final = 5
#: The last part of the observation, over which goodput is taken.
_LAST_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The time after a disturbance. Ratios are over requests of the operations with limits."""

    after_seconds: float | None  # from the end of the disturbance; None if the system did not come back
    goodput_ratio: float  # answered within their limits, in the last quarter of the observation
    degraded_ratio: float  # answered in part, in the same time
    refused_ratio: float  # refused at once, from the beginning of the disturbance on


def disturbed(scenario: Scenario) -> tuple[float, float]:
    """When the last phase begins and when the recovery begins: at the end of a burst, at the beginning of a fall."""
    last = scenario.traffic.phases[-1]
    return last.at_seconds, last.at_seconds if last.factor < 1.0 else last.end_seconds


def recovery(scenario: Scenario, samples: Samples) -> Recovery | None:
    """The recovery after the last phase of the traffic; None without a phase, or with nothing observed after it."""
    if not scenario.traffic.phases or not scenario.expectations:
        return None
    begins, over = disturbed(scenario)
    count = int(scenario.traffic.duration_seconds - over)
    if count < 1:
        return None
    samples = samples.where(np.isin(samples.operation, list(scenario.expectations)))
    bad = judge.bad_seconds(scenario, samples, from_seconds=over, count=count)
    last = samples.where(samples.at_seconds >= over + count * (1.0 - _LAST_SHARE))
    met = sum(
        int(judge.met(expectation, last.of(name), scenario.traffic.timeout_seconds).sum())
        for name, expectation in scenario.expectations.items()
    )
    since = samples.where(samples.at_seconds >= begins)
    return Recovery(
        after_seconds=back_after(bad.tolist()),
        goodput_ratio=met / len(last) if len(last) else 0.0,
        degraded_ratio=_share(last, Outcome.DEGRADED),
        refused_ratio=_share(since, Outcome.REFUSED),
    )


def back_after(bad: Sequence[bool]) -> float | None:
    """Seconds until the system is back: the end of the last bad second of the last stretch in which it is down, or of
    the bad seconds at the very beginning. None if it is down in the last stretch."""
    width = min(STRETCH, len(bad))
    down = [index for index in range(len(bad) - width + 1) if 2 * sum(bad[index : index + width]) > width]
    if down and down[-1] == len(bad) - width:
        return None
    first = next((index for index, each in enumerate(bad) if not each), len(bad))
    if not down:
        return float(first)
    last = max(index for index in range(down[-1], down[-1] + width) if bad[index])
    return float(max(first, last + 1))


def _share(samples: Samples, outcome: Outcome) -> float:
    return float((samples.outcome == outcome.value).mean()) if len(samples) else 0.0
