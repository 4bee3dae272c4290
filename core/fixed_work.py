"""The fixed piece of work: the CPU time that it takes on a machine, and what follows for the CPU demand there.

Every machine does the same work (`lab.fixed_work`). A profile keeps its time from the calibration; a run does it again
before anything is simulated, and the ratio of both times scales the profile's CPU demand. Nothing of the judged run
enters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Final

import msgspec

#: Of the work. Times of different versions cannot be compared; raise it with every change of the work.
VERSION: Final = 1
#: Cycles of a round on a core with the instructions per cycle of an Intel core of 2017 (`core.scenario.demand.Core`).
#: By one machine, an AMD EPYC of family 26, in December 2026: a round in 4.40 ms, 4.1 GHz by a chain of dependent
#: multiplications (3 cycles each, and 1 for an exclusive or), and 1.98 × the instructions per cycle
#: (service-capacity-modeling 0.3.212, for c8a, which has processors of this family).
ROUND_CYCLES: Final = 4.40e-3 * 4.1e9 * 1.98
#: With a larger scatter something else used the machine, and the sentence says so.
SCATTER_RATIO_MAX: Final = 0.1
#: With a larger change between the first and the last reading, the calibration says so.
DRIFT_RATIO_MAX: Final = 0.05


class FixedWork(msgspec.Struct, frozen=True, kw_only=True):
    """CPU time of the fixed piece of work on one machine."""

    version: int
    cpu_seconds: dict[str, float]  # of one round, by kind of work: the lower quartile of all rounds
    scatter_ratio: float  # half of the interquartile range of the rounds, over their median
    round_count: int
    drift_ratio: float = 0.0  # of several readings: the last one over the first, minus 1

    @property
    def whole_seconds(self) -> float:
        """CPU time of one round of all kinds."""
        return sum(self.cpu_seconds.values())

    @property
    def sentence(self) -> str:
        """What a calibration says of it, without a capital and a full stop."""
        said = f"a round of the fixed work takes {self.whole_seconds * 1e3:.2f} ms of CPU, ± {self.scatter_ratio:.0%}"
        if abs(self.drift_ratio) > DRIFT_RATIO_MAX:
            said += (
                f"; {self.drift_ratio:+.0%} from the first to the last reading: the machine's speed changed during the "
                "calibration"
            )
        return said

    def check(self) -> None:
        """Raise ValueError, with the field, where the figures are not those of a measurement."""
        if not self.cpu_seconds:
            raise ValueError("fixed_work.cpu_seconds: expected at least one kind of work")
        for kind, seconds in self.cpu_seconds.items():
            if not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"fixed_work.cpu_seconds.{kind}: expected a finite time of more than 0")
        if not (self.scatter_ratio >= 0 and math.isfinite(self.scatter_ratio)):
            raise ValueError("fixed_work.scatter_ratio: expected a finite ratio of at least 0")
        if not (self.drift_ratio > -1 and math.isfinite(self.drift_ratio)):
            raise ValueError("fixed_work.drift_ratio: expected a finite ratio of more than -1")
        if self.round_count < 1:
            raise ValueError("fixed_work.round_count: expected at least 1")


class SpeedAhead(msgspec.Struct, frozen=True, kw_only=True):
    """Factor of every CPU demand of a prediction, known before the run, and where it comes from."""

    speed: float  # 1 if the demand was not scaled
    sentence: str
    here: FixedWork
    calibrated: FixedWork | None  # of the profile


def reading(rounds: Sequence[Mapping[str, float]]) -> FixedWork:
    """One reading from CPU seconds by kind of work, of at least two rounds."""
    lower, centre, upper = quantiles((sum(each.values()) for each in rounds), n=4)
    return FixedWork(
        version=VERSION,
        # another process on the machine makes rounds longer, and often more than half of them
        cpu_seconds={kind: quantiles((each[kind] for each in rounds), n=4)[0] for kind in rounds[0]},
        scatter_ratio=(upper - lower) / 2 / centre,
        round_count=len(rounds),
    )


def median_reading(readings: Sequence[FixedWork]) -> FixedWork:
    """The median of at least one reading of one version, in the order in which they were taken."""
    first, last = readings[0], readings[-1]
    return FixedWork(
        version=first.version,
        cpu_seconds={kind: median(each.cpu_seconds[kind] for each in readings) for kind in first.cpu_seconds},
        scatter_ratio=median(each.scatter_ratio for each in readings),
        round_count=sum(each.round_count for each in readings),
        drift_ratio=last.whole_seconds / first.whole_seconds - 1.0,
    )


def scaled(work: FixedWork, factor: float) -> FixedWork:
    """The work on a machine that needs ``factor`` × the CPU time."""
    seconds = {kind: value * factor for kind, value in work.cpu_seconds.items()}
    return msgspec.structs.replace(work, cpu_seconds=seconds)


def speed_ahead(here: FixedWork, calibrated: FixedWork | None) -> SpeedAhead:
    """The factor of the demand of a profile with ``calibrated`` on the machine that was just read."""
    if why := _not_comparable(here, calibrated):
        sentence = f"{why}, so CPU demand was not scaled to this machine; windtunnel calibrate makes a new one"
        return SpeedAhead(speed=1.0, sentence=sentence, here=here, calibrated=calibrated)
    assert calibrated is not None
    speed = float(f"{here.whole_seconds / calibrated.whole_seconds:.4g}")
    sentence = (
        f"this machine does the fixed work in {speed:.2f} × the profile's time, so CPU demand was scaled by "
        f"{speed:.2f} before the run"
    )
    if here.scatter_ratio > SCATTER_RATIO_MAX:
        sentence += f"; the rounds of that work differed by ± {here.scatter_ratio:.0%}: was anything else running?"
    return SpeedAhead(speed=speed, sentence=sentence, here=here, calibrated=calibrated)


def _not_comparable(here: FixedWork, calibrated: FixedWork | None) -> str:
    """Why there is no ratio of these two; empty if there is one."""
    if calibrated is None:
        return "the profile has no time of the fixed work"
    if here.version != calibrated.version:
        return f"the profile's fixed work is of version {calibrated.version}, this build's of version {here.version}"
    if here.cpu_seconds.keys() != calibrated.cpu_seconds.keys():
        return "the profile's fixed work has other kinds of work"
    return ""
