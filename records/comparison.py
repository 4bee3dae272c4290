"""A comparison of a pair of runs: made by `lab.compare`, shown by terminal, report and dashboards.

It is kept beside the two runs as ``comparison.json``. None means not measured or not known, so the file holds no NaN;
zero is a measured zero. Everything is in SI units; errors are (simulated − measured) / measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from core.fixed_work import SpeedAhead
from core.stats import Estimate, signed_error

FILE: Final = "comparison.json"
SCHEMA_VERSION: Final = 1

#: Exit codes of every command that ends in a verdict.
HELD: Final = 0
MISSED: Final = 99
ABORTED: Final = 3
VOID: Final = 4

#: Parts of the judged time that are compared separately.
WHOLE: Final = "whole"
OUTSIDE_FAULTS: Final = "outside faults"
IN_FAULTS: Final = "in faults"


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """One percentile of latency on both sides, in seconds; None on a side with too few samples."""

    q: float
    simulated: Estimate | None = None
    measured: Estimate | None = None
    error_ratio: float | None = None
    noise_ratio: float | None = None  # half width of the error's interval due to the sizes of the two samples

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the error is larger than sampling noise; None without an error."""
        if self.error_ratio is None or self.noise_ratio is None:
            return None
        return abs(self.error_ratio) > self.noise_ratio

    @property
    def excess(self) -> float:
        """By how much the error exceeds the noise, in units of the noise; negative if unknown."""
        if self.error_ratio is None or not self.noise_ratio:
            return -1.0
        return abs(self.error_ratio) / self.noise_ratio


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One operation on one side."""

    count: int
    per_second: float
    errors_ratio: float | None = None  # refused, failed or timed out
    refused_ratio: float | None = None
    degraded_ratio: float | None = None


class OperationPair(msgspec.Struct, frozen=True, kw_only=True):
    """One operation on both sides, over one part of the judged time."""

    operation: str
    simulated: Side | None = None
    measured: Side | None = None
    utilisation_ratio: float | None = None  # measured, of the stack's cores, weighted by this operation's arrivals
    quantiles: tuple[Quantile, ...] = ()
    throughput_error_ratio: float | None = None
    ks: float | None = None
    wasserstein_seconds: float | None = None
    wasserstein_ratio: float | None = None  # over the measured mean

    @property
    def count(self) -> int:
        """Requests on the measured side, or on the simulated side without a measurement."""
        side = self.measured or self.simulated
        return side.count if side is not None else 0

    def quantile(self, q: float) -> Quantile | None:
        """The comparison of the q-quantile, if there is one."""
        return next((each for each in self.quantiles if abs(each.q - q) < 1e-9), None)

    @property
    def beyond_noise(self) -> bool | None:
        """Whether any percentile is beyond noise; None if none can be judged."""
        known = [each.beyond_noise for each in self.quantiles if each.beyond_noise is not None]
        return any(known) if known else None

    @property
    def worst(self) -> Quantile | None:
        """The percentile that is farthest beyond its noise; None if none can be judged."""
        known = [each for each in self.quantiles if each.error_ratio is not None]
        return max(known, key=lambda each: each.excess, default=None)

    @property
    def badness(self) -> tuple[int, float]:
        """Sort key: beyond noise, then within it, then unjudged; within each by the largest error."""
        errors = [abs(each.error_ratio) for each in self.quantiles if each.error_ratio is not None]
        return {True: 2, False: 1, None: 0}[self.beyond_noise], max(errors, default=0.0)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation on one side: the value found, whether it holds (None: cannot be judged), and why."""

    value: float | None = None
    held: bool | None = None
    count: int = 0
    reason: str = ""
    interval: Estimate | None = None  # 95 %, from pieces of this run (`core.stats.blocked_quantile`)


class ExpectationPair(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation of the scenario on both sides. ``unit`` is seconds, ratio or count."""

    name: str
    unit: str
    limit: float
    simulated: Judged | None = None
    measured: Judged | None = None

    @property
    def deciding(self) -> Judged | None:
        """The side that decides: the measured one, or the simulated one without a measurement."""
        return self.measured or self.simulated


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault as it acted; times from t0. ``proof`` is the observed effect, empty if there was none."""

    target: str
    what: str
    begins_seconds: float
    ends_seconds: float
    proof: str = ""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One figure on both sides, with the signed error if both are known."""

    name: str
    simulated: float | None = None
    measured: float | None = None
    error_ratio: float | None = None

    @classmethod
    def of(cls, name: str, simulated: float | None, measured: float | None) -> Pair:
        """Two figures with their signed error, which is None against zero."""
        error = signed_error(simulated, measured) if simulated is not None and measured else None
        return cls(name=name, simulated=simulated, measured=measured, error_ratio=error)


class CacheSide(msgspec.Struct, frozen=True, kw_only=True):
    """One cache on one side."""

    hit_count: int
    miss_count: int

    @property
    def hit_ratio(self) -> float | None:
        """Hits over look-ups; None without look-ups."""
        total = self.hit_count + self.miss_count
        return self.hit_count / total if total else None


class CachePair(msgspec.Struct, frozen=True, kw_only=True):
    """One cache on both sides."""

    cache: str
    simulated: CacheSide | None = None
    measured: CacheSide | None = None


class CostComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What the system would cost in dollars, both sides priced from the same dated book."""

    prices: str
    items: tuple[Pair, ...] = ()  # dollars a month by component
    month: Pair | None = None
    million_requests: Pair | None = None
    user: Pair | None = None  # dollars a month
    reason: str = ""  # why a side has no bill
    notes: tuple[str, ...] = ()  # assumptions of the figures


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """The one number taken from the judged run: its CPU demand over the profile's as calibrated, outside of faults."""

    ratio: float
    measured_cpu_seconds: float
    calibrated_cpu_seconds: float


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where one side comes from and whether it may be judged. ``present`` is false when there is no run."""

    present: bool
    reason: str = ""  # why it is not there
    void: bool = False
    void_reasons: tuple[str, ...] = ()
    aborted: str = ""  # why the drill was rolled back early
    scenario: str = ""
    seed: int = 0
    commit: str = ""
    calibration: str = ""
    speed: float = 1.0
    speed_ahead: SpeedAhead | None = None
    machine: dict[str, Any] = {}
    started: str = ""
    wall_seconds: float = 0.0
    lag_p99_seconds: float | None = None
    scheduled_count: int = 0
    sent_count: int = 0
    stall_ratio: float | None = None
    utilisation_ratio: float | None = None  # of the stack's cores over the judged time
    ledger: dict[str, int] = {}
    facts: dict[str, Any] = {}
    errors: tuple[tuple[str, str, int, int], ...] = ()  # operation, outcome, status, count; most frequent first
    deaths: tuple[str, ...] = ()  # processes that died without a fault that kills them


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """``comparison.json``."""

    id: str
    scenario: str
    says: str = ""
    seed: int
    duration_seconds: float
    exit_code: int
    sentence: str
    simulated: SideFacts
    measured: SideFacts
    verdicts: tuple[ExpectationPair, ...] = ()
    operations: tuple[OperationPair, ...] = ()  # over the whole judged time, worst first
    outside_faults: tuple[OperationPair, ...] = ()
    in_faults: tuple[OperationPair, ...] = ()
    matched: tuple[OperationPair, ...] = ()  # like operations, the simulation run at the measured speed
    caches: tuple[CachePair, ...] = ()
    processes: tuple[Pair, ...] = ()  # busy share of one core, by process
    faults: tuple[Fault, ...] = ()
    viral_at_seconds: float | None = None
    recovery_seconds: Pair | None = None
    depth_seconds: Pair | None = None  # worst p95 of a second while a fault acted
    speed: Speed | None = None
    cost: CostComparison | None = None
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA_VERSION

    def part(self, name: str) -> tuple[OperationPair, ...]:
        """Operations over one part of the judged time: WHOLE, OUTSIDE_FAULTS or IN_FAULTS."""
        return {WHOLE: self.operations, OUTSIDE_FAULTS: self.outside_faults, IN_FAULTS: self.in_faults}[name]

    @property
    def rows(self) -> tuple[tuple[str, OperationPair], ...]:
        """What agreement is judged by, worst first: (name, pair). With faults, the times outside and inside of them are
        separate, because a percentile over both says little about either."""
        if not self.faults:
            return tuple((each.operation, each) for each in self.operations)
        inside = ((f"{each.operation}, in faults", each) for each in self.in_faults if each.worst is not None)
        both = [*((each.operation, each) for each in self.outside_faults), *inside]
        return tuple(sorted(both, key=lambda each: each[1].badness, reverse=True))

    @property
    def missed(self) -> tuple[ExpectationPair, ...]:
        """Expectations that the deciding side missed."""
        return tuple(each for each in self.verdicts if each.deciding is not None and each.deciding.held is False)


class NoComparisonError(ValueError):
    """The folder holds no readable comparison; the message says why."""


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write ``comparison.json`` into the pair folder and return its path. It is derived, so it may be replaced."""
    path = folder / FILE
    data = msgspec.json.format(msgspec.json.encode(comparison, order="sorted"), indent=1)
    path.write_bytes(data + b"\n")
    return path


def read_comparison(folder: Path) -> Comparison:
    """Read the comparison of the pair folder; raises NoComparisonError."""
    try:
        found = msgspec.json.decode((folder / FILE).read_bytes(), type=Comparison)
    except (OSError, msgspec.DecodeError) as error:
        raise NoComparisonError(f"{folder}: {error}") from error
    if found.schema != SCHEMA_VERSION:
        raise NoComparisonError(f"{folder}: schema {found.schema}, this build reads {SCHEMA_VERSION}")
    return found
