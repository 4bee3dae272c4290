"""Verdicts: compares the expectations of a scenario with samples, in the same way for measured and simulated ones.

Latency counts every request from its intended start; one that was not answered counts as at least the client's time
limit, so that failing fast never looks like being fast. Nothing is judged on too few samples, with one exception: few
samples can show that a limit is missed, although they cannot show that it is held (`beyond_chance`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from core import stats
from core.names import ERRORS
from core.run import Samples
from core.scenario.model import Expectation, Scenario
from core.stats import Estimate

Floats = npt.NDArray[np.float64]
Windows = Sequence[tuple[float, float]]  # begin and end in seconds from t0

#: A share of errors counts as held only if this many errors would be expected at the limit (rule of three: 95 %).
ERRORS_EXPECTED_MIN: Final = 3.0
#: Width of the windows for recovery and depth.
WINDOW_SECONDS: Final = 1.0
#: A window with fewer requests gives no percentile.
WINDOW_COUNT_MIN: Final = 5
#: A limit is certainly missed if chance alone would give such a result less often than this …
CHANCE: Final = 0.05
#: … and a window is bad; less often, because there are many windows.
WINDOW_CHANCE: Final = 0.01
RECOVERS: Final = "recovers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One expectation, judged. ``margin`` is limit − value, in their unit, and so negative if the limit is missed."""

    name: str
    operation: str  # "" if it is about all operations
    measure: str  # p50, p95, p99, errors, lost, recovers
    unit: str  # seconds, ratio or count
    limit: float
    value: float | None
    held: bool | None  # None: unjudged, see ``reason``
    count: int = 0  # of samples on which it is based
    reason: str = ""
    interval: Estimate | None = None  # around ``value``, for a percentile or a share of errors of a whole run

    @property
    def margin(self) -> float | None:
        """Limit minus value; None if there is no value."""
        return None if self.value is None else self.limit - self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All verdicts of one run, in the order of the scenario, and further figures of its drill report."""

    verdicts: tuple[Verdict, ...]
    recovery_seconds: float | None = None  # RTO, from the last fault's end; None without faults, or not recovered
    depth_seconds: float | None = None  # worst p95 of a second while a fault acted
    depths_seconds: Mapping[str, float] = field(default_factory=dict)  # the same by operation
    budgets_burnt_ratio: Mapping[str, float] = field(default_factory=dict)  # errors over those allowed, by operation
    lost_count: int | None = None  # RPO: acknowledged and not found; None if not checked

    @property
    def held(self) -> bool | None:
        """False if any expectation is missed, else None if any is unjudged, else True."""
        found = [verdict.held for verdict in self.verdicts]
        if False in found:
            return False
        return None if None in found else True

    @property
    def missed(self) -> tuple[Verdict, ...]:
        """The verdicts of expectations that did not hold."""
        return tuple(verdict for verdict in self.verdicts if verdict.held is False)


def judge(
    scenario: Scenario,
    samples: Samples,
    *,
    ledger: Mapping[str, int] | None,
    windows: Windows | None = None,
) -> Judgement:
    """Judge ``samples`` (warm-up is left out here) by ``scenario.expect``.

    ``ledger`` is `core.run.RunRecord.ledger` with keys such as ``like.add.lost``; None or a missing key leaves ``lost``
    unjudged. ``windows`` are the times in which faults acted, by default as the scenario plans them.
    """
    windows = fault_windows(scenario) if windows is None else windows
    samples = samples.judged()
    patience = scenario.traffic.timeout_seconds
    verdicts: list[Verdict] = []
    for name, expectation in scenario.expectations.items():
        found = samples.of(name)
        inside = in_windows(found, windows)
        judged = found.where(~inside) if expectation.outside == "faults" else found
        verdicts += judge_operation(
            name, expectation, judged, patience_seconds=patience, seconds=scenario.traffic.duration_seconds
        )
        if expectation.lost is not None:
            verdicts.append(_lost(name, expectation.lost, ledger))
    recovery, reason, count = _recovery(scenario, samples, windows)
    limit = scenario.recovers_within_seconds
    if limit is not None:
        verdicts.append(_recovers(limit, recovery, reason, count))
    depths = _depths(scenario, samples, windows)
    lost = [value for key, value in (ledger or {}).items() if key.endswith(".lost")]
    return Judgement(
        verdicts=tuple(verdicts),
        recovery_seconds=recovery,
        depth_seconds=max(depths.values(), default=None),
        depths_seconds=depths,
        budgets_burnt_ratio=_budgets(scenario, samples),
        lost_count=sum(lost) if lost else None,
    )


def fault_windows(scenario: Scenario) -> tuple[tuple[float, float], ...]:
    """When the scenario's faults act, as planned; a kill without ``for`` is one moment."""
    return tuple((fault.at_seconds, fault.end_seconds) for fault in scenario.faults)


def in_windows(samples: Samples, windows: Windows) -> npt.NDArray[np.bool_]:
    """Mark the requests whose time from intended start to end touches one of ``windows``."""
    inside = np.zeros(len(samples), dtype=bool)
    ends = samples.at_seconds + samples.latency_seconds
    for begins, finishes in windows:
        inside |= (samples.at_seconds <= finishes) & (ends >= begins)
    return inside


def judge_operation(
    name: str,
    expectation: Expectation,
    samples: Samples,
    *,
    patience_seconds: float,
    seconds: float | None = None,
) -> tuple[Verdict, ...]:
    """Judge percentiles and errors of one operation's ``samples``, all of which count. For samples of a run of
    ``seconds`` from t0, each value has its interval.

    A percentile needs `core.stats.supported` samples and a share of errors `ERRORS_EXPECTED_MIN` expected ones; with
    fewer, the verdict is None, or False if the excess is beyond chance.
    """
    outside = f", outside {expectation.outside}" if expectation.outside else ""
    waited = waited_seconds(samples, patience_seconds)
    at_seconds, failed = samples.at_seconds, _is_error(samples)
    verdicts: list[Verdict] = []
    for measure, q, limit in _percentiles(expectation):
        value = stats.quantile(waited, q) if len(waited) else None
        held: bool | None = value is not None and value < limit
        reason = ""
        if not stats.supported(len(waited), q):
            doubtless = beyond_chance(int((waited >= limit).sum()), len(waited), 1.0 - q)
            held, reason = (False, "") if doubtless else (None, _too_few(len(waited)))
        verdicts.append(
            Verdict(
                name=f"{name} {measure}{outside}",
                operation=name,
                measure=measure,
                unit="seconds",
                limit=limit,
                value=value,
                held=held,
                count=len(waited),
                reason=reason,
                interval=_known(stats.blocked_quantile(waited, at_seconds, q, seconds=seconds))
                if seconds is not None and stats.supported(len(waited), q)
                else None,
            )
        )
    if expectation.errors_ratio is not None:
        limit, count, bad = expectation.errors_ratio.value, len(failed), int(failed.sum())
        value = bad / count if count else None
        held, reason = value is not None and value < limit, ""
        if count * limit < ERRORS_EXPECTED_MIN:
            held, reason = (False, "") if beyond_chance(bad, count, limit) else (None, _too_few(count))
        verdicts.append(
            Verdict(
                name=f"{name} errors{outside}",
                operation=name,
                measure="errors",
                unit="ratio",
                limit=limit,
                value=value,
                held=held,
                count=count,
                reason=reason,
                interval=_known(stats.blocked_share(failed, at_seconds, seconds=seconds))
                if seconds is not None and count
                else None,
            )
        )
    return tuple(verdicts)


def _known(found: Estimate) -> Estimate | None:
    return found if math.isfinite(found.high - found.low) else None


def waited_seconds(samples: Samples, patience_seconds: float) -> Floats:
    """Latency as it is judged: at least the client's time limit for a request that was not answered."""
    return np.where(_is_error(samples), np.maximum(samples.latency_seconds, patience_seconds), samples.latency_seconds)


def beyond_chance(bad_count: int, count: int, allowed_ratio: float, chance: float = CHANCE) -> bool:
    """Whether at least ``bad_count`` of ``count`` would be bad with a probability of at most ``chance`` if each were
    bad with probability ``allowed_ratio`` (tail of the Poisson distribution, a conservative approximation of the
    binomial one)."""
    if bad_count <= 0 or count <= 0:
        return False
    mean = count * allowed_ratio
    if mean <= 0:
        return True
    if mean > 100:  # the tail's terms would underflow; its normal approximation is within a percent here
        return 0.5 * math.erfc((bad_count - 0.5 - mean) / math.sqrt(2.0 * mean)) <= chance
    below = sum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(bad_count))
    return 1.0 - below <= chance


def _percentiles(expectation: Expectation) -> Iterator[tuple[str, float, float]]:
    for measure, q, limit in (
        ("p50", 0.50, expectation.p50),
        ("p95", 0.95, expectation.p95),
        ("p99", 0.99, expectation.p99),
    ):
        if limit is not None:
            yield measure, q, limit.value


def met(expectation: Expectation, samples: Samples, patience_seconds: float) -> npt.NDArray[np.bool_]:
    """Which requests of one operation were answered within the highest limit of their latency, if there is one."""
    limits = [limit for _, _, limit in _percentiles(expectation)]
    found: npt.NDArray[np.bool_] = waited_seconds(samples, patience_seconds) < max(limits, default=patience_seconds)
    return found & ~_is_error(samples)


def _is_error(samples: Samples) -> npt.NDArray[np.bool_]:
    return np.isin(samples.outcome, [outcome.value for outcome in ERRORS])


def _too_few(count: int) -> str:
    return f"too few samples ({count})"


def _lost(name: str, limit: int, ledger: Mapping[str, int] | None) -> Verdict:
    value = None if ledger is None else ledger.get(f"{name}.lost")
    acknowledged = (ledger or {}).get(f"{name}.acknowledged", 0)
    held: bool | None = value is not None and value <= limit
    reason = ""
    if value is None:
        held, reason = None, "not checked"
    elif not acknowledged:
        held, reason = None, "nothing was acknowledged"
    return Verdict(
        name=f"{name} lost",
        operation=name,
        measure="lost",
        unit="count",
        limit=float(limit),
        value=None if value is None else float(value),
        held=held,
        count=acknowledged,
        reason=reason,
    )


def _recovers(limit: float, recovery: float | None, reason: str, count: int) -> Verdict:
    held: bool | None = recovery is not None and recovery < limit
    if recovery is None:
        held = None if reason != _NOT_RECOVERED else False
    return Verdict(
        name=RECOVERS,
        operation="",
        measure=RECOVERS,
        unit="seconds",
        limit=limit,
        value=recovery,
        held=held,
        count=count,
        reason=reason,
    )


_NOT_RECOVERED: Final = "not recovered by the end"


def _recovery(scenario: Scenario, samples: Samples, windows: Windows) -> tuple[float | None, str, int]:
    """Seconds from the end of the last fault to the last bad request of the last bad second, over all operations with
    limits.

    A second is bad if more requests were slow, or failed, than chance explains within the limits: with a p95, three
    slow requests of fifteen are not bad, four are. Returns (seconds or None, reason, requests considered).
    """
    if not windows:
        return None, "the scenario has no faults", 0
    end = max(finishes for _, finishes in windows)
    slowest, considered = 0.0, 0
    for name, expectation in scenario.expectations.items():
        found = samples.of(name)
        after = found.where(found.at_seconds >= end)
        tests = _tests(expectation, after, scenario.traffic.timeout_seconds)
        if not len(after) or not tests:
            continue
        considered += len(after)
        second = np.floor((after.at_seconds - end) / WINDOW_SECONDS).astype(np.int64)
        last = int(second.max())
        for bad, allowed in tests:
            for window in np.unique(second[bad])[::-1]:
                here = second == window
                if _is_bad(int((bad & here).sum()), int(here.sum()), allowed):
                    # after a bad last window, nothing shows that it is over
                    if window == last:
                        return None, _NOT_RECOVERED, considered
                    slowest = max(slowest, float((after.at_seconds[bad & here] - end).max()))
                    break
    if not considered:
        return None, "no requests after the last fault", 0
    return slowest, "", considered


def bad_seconds(scenario: Scenario, samples: Samples, *, from_seconds: float, count: int) -> npt.NDArray[np.bool_]:
    """Which of ``count`` seconds from a time on are bad, as for `Judgement.recovery_seconds`."""
    found = np.zeros(count, dtype=bool)
    for name, expectation in scenario.expectations.items():
        after = samples.of(name)
        second = np.floor((after.at_seconds - from_seconds) / WINDOW_SECONDS).astype(np.int64)
        within = (second >= 0) & (second < count)
        everybody = np.bincount(second[within], minlength=count)
        for bad, allowed in _tests(expectation, after, scenario.traffic.timeout_seconds):
            here = np.bincount(second[within & bad], minlength=count)
            found |= [_is_bad(int(some), int(of), allowed) for some, of in zip(here, everybody, strict=True)]
    return found


def _is_bad(bad_count: int, count: int, allowed_ratio: float) -> bool:
    """Whether a second is bad."""
    return count > 1 and beyond_chance(bad_count, count, allowed_ratio, WINDOW_CHANCE)


def _tests(
    expectation: Expectation, samples: Samples, patience_seconds: float
) -> list[tuple[npt.NDArray[np.bool_], float]]:
    """Each limit as (mask of the requests that violate it, share of them that it allows)."""
    seconds = waited_seconds(samples, patience_seconds)
    found = [(seconds >= limit, 1.0 - q) for _, q, limit in _percentiles(expectation)]
    if expectation.errors_ratio is not None:
        found.append((_is_error(samples), expectation.errors_ratio.value))
    return found


def _depths(scenario: Scenario, samples: Samples, windows: Windows) -> dict[str, float]:
    depths: dict[str, float] = {}
    for name in scenario.expectations:
        found = samples.of(name)
        seconds = waited_seconds(found, scenario.traffic.timeout_seconds)
        for begins, finishes in windows:
            number = np.floor((found.at_seconds - begins) / WINDOW_SECONDS)
            acting = (found.at_seconds >= begins) & (found.at_seconds < max(finishes, begins + WINDOW_SECONDS))
            for window in np.unique(number[acting]):
                here = seconds[acting & (number == window)]
                if len(here) >= WINDOW_COUNT_MIN:
                    depths[name] = max(depths.get(name, 0.0), stats.quantile(here, 0.95))
    return depths


def _budgets(scenario: Scenario, samples: Samples) -> dict[str, float]:
    """Errors relative to the number that the limit allows in the whole judged time, faults included."""
    budgets = {}
    for name, expectation in scenario.expectations.items():
        found = samples.of(name)
        if expectation.errors_ratio is not None and len(found) and expectation.errors_ratio.value > 0:
            budgets[name] = float(_is_error(found).mean()) / expectation.errors_ratio.value
    return budgets
