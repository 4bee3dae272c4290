"""The steady state: what holds before the first fault. A drill on a system that was unhealthy before shows nothing."""

from __future__ import annotations

from dataclasses import replace

from core.judge import Verdict, judge_operation
from core.run import Samples
from core.scenario import Scenario


def before_faults(scenario: Scenario, samples: Samples) -> tuple[Verdict, ...]:
    """Judge every expectation by the requests that ended before the first fault begins, the warm-up left out."""
    if not scenario.faults:
        return ()
    first = min(fault.at_seconds for fault in scenario.faults)
    samples = samples.judged()
    well = samples.where(samples.at_seconds + samples.latency_seconds < first)
    return tuple(
        verdict
        for name, expectation in scenario.expectations.items()
        for verdict in judge_operation(
            name, replace(expectation, outside=None), well.of(name), patience_seconds=scenario.traffic.timeout_seconds
        )
    )


def void_reasons(scenario: Scenario, samples: Samples) -> tuple[str, ...]:
    """Reasons not to judge the drill: expectations that did not hold before the first fault."""
    return tuple(
        f"not healthy before the fault: {verdict.name} was {verdict.value:.4g}, its limit is {verdict.limit:.4g}"
        for verdict in before_faults(scenario, samples)
        if verdict.held is False
    )
