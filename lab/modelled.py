"""Facts of a simulated run besides latencies: assumptions, the busiest stations, opened breakers, consumer lag.

The figures are facts of the run (`core.run.RunRecord.facts`), as `sim.simulate` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from present import figures

#: Utilisation above which a warning stands.
FULL_RATIO: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One fact: a label of at most six letters for a terminal, a title for a page, and the text."""

    label: str
    title: str
    text: str


def remarks(facts: Mapping[str, Any]) -> tuple[Remark, ...]:
    """All facts of a run; none of a measured one."""
    found = (
        Remark(label="NOTE", title="Assumed, because not measured", text="; ".join(facts.get("assumed", ()))),
        Remark(label="NOTE", title="In the scenario, but", text="; ".join(facts.get("without_effect", ()))),
        Remark(label="BUSY", title="Busiest at the peak, as predicted", text=_busiest(facts)),
        Remark(label="WARN", title="No steady state", text=_saturated(facts)),
        Remark(label="WARN", title="Where the model's errors grow", text=_full(facts)),
        Remark(label="OPENED", title="Breakers that opened", text=_opened(facts)),
        Remark(label="LAG", title="Events on the log, until their work began", text=_lag(facts)),
    )
    return tuple(each for each in found if each.text)


def lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """For a terminal: label, and a text that says what it is."""
    return [(each.label, f"{each.title[:1].lower()}{each.title[1:]}: {each.text}") for each in remarks(facts)]


def _busiest(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{place} {figures.share(ratio)}" for place, ratio in facts.get("busiest", {}).items())


def _saturated(facts: Mapping[str, Any]) -> str:
    """What saturates first, so that the figures depend on the length of the run."""
    return str(facts.get("no_steady_state", "")).removeprefix("no steady state, ")


def _full(facts: Mapping[str, Any]) -> str:
    """Resources so busy that a small error of their work is a large one of the waits."""
    full = [place for place, ratio in facts.get("busiest", {}).items() if ratio > FULL_RATIO]
    return f"{', '.join(full)} more than {FULL_RATIO:.0%} busy at the peak".replace("%", " %") if full else ""


def _opened(facts: Mapping[str, Any]) -> str:
    opened = facts.get("breaker_opened_count", {})
    return ", ".join(f"{name} {figures.count(count)} ×" for name, count in opened.items() if count)


def _lag(facts: Mapping[str, Any]) -> str:
    longest, unhandled = facts.get("consumer_lag_max_seconds", {}), facts.get("log_unhandled_count", {})
    found = [
        f"{job} {figures.duration(mean)} on average, {figures.duration(longest.get(job, mean))} at most"
        for job, mean in facts.get("consumer_lag_mean_seconds", {}).items()
    ]
    return ", ".join(
        found + [f"{job} {figures.count(count)} left at the end" for job, count in unhandled.items() if count]
    )
