"""The experiment: hypothesis, method, observation, rollback and verdict, in the same terms before and after a drill.

Everything here is pure: the method comes from the scenario, the observation from samples, journal and ledger, and the
verdict from both. The runner starts a warden (`chaos.control`) and drives the traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chaos import journal, steady_state
from core import judge as judging
from core.judge import Judgement
from core.run import Event, Samples
from core.scenario import Fault, Scenario
from core.scenario.model import Expectation
from core.scenario.units import format_ratio, format_seconds


class Word(StrEnum):
    """The verdict in one word."""

    HELD = "held"
    DEVIATED = "deviated"
    ABORTED = "aborted"
    VOID = "void"


#: Exit code of each verdict, for CI.
EXIT_CODES: Final = {Word.HELD: 0, Word.DEVIATED: 99, Word.ABORTED: 3, Word.VOID: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The plan of a drill in sentences, for a dry run."""

    hypothesis: str
    steady_state: tuple[str, ...]
    method: tuple[str, ...]
    abort: tuple[str, ...]
    rollback: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentResult:
    """The observations of a drill and the verdict on its hypothesis."""

    word: Word
    sentence: str
    judgement: Judgement
    acted: tuple[str, ...] = ()  # proof of each fault
    void_reasons: tuple[str, ...] = ()
    aborted: str = ""

    @property
    def exit_code(self) -> int:
        """0 held, 99 deviated, 3 aborted, 4 void."""
        return EXIT_CODES[self.word]


def plan(scenario: Scenario) -> Experiment:
    """Describe the drill of a scenario; works for any scenario with faults."""
    drill = scenario.drill
    limits = [text for name, each in scenario.expectations.items() for text in _limits(name, each)]
    within = scenario.recovers_within_seconds
    if within is not None:
        limits.append(f"all of these hold again {format_seconds(within)} after the last fault")
    window = f" over the last {format_seconds(drill.abort_window_seconds)}" if drill is not None else ""
    return Experiment(
        hypothesis=(drill.hypothesis if drill is not None else "") or scenario.description,
        steady_state=tuple(limits),
        method=tuple(_step(fault) for fault in scenario.faults),
        abort=tuple(
            f"{text.replace(' < ', ' not < ')}{window}"
            for name, each in (drill.abort.items() if drill is not None else ())
            for text in _limits(name, each)
        ),
        rollback=tuple(fault.rollback for fault in scenario.faults),
    )


def judge(
    scenario: Scenario,
    samples: Samples,
    *,
    events: Iterable[Event],
    ledger: Mapping[str, int] | None,
    void_reasons: Iterable[str] = (),
) -> ExperimentResult:
    """Judge a measured drill. ``events`` is the run's journal, ``void_reasons`` are other reasons not to judge the run.

    An abort takes precedence. Otherwise a run is void if its faults were not seen to act, its system was not healthy
    before them, or its expectations cannot all be judged; otherwise it held or deviated.
    """
    events = tuple(events)
    windows = journal.acted_windows(scenario, events)
    found = judging.judge(scenario, samples, ledger=ledger, windows=windows)
    aborted = next((str(event.values.get("reason", "")) for event in events if event.event == journal.ABORTED), None)
    reasons = tuple(
        dict.fromkeys(  # a run's record may contain the journal's reasons already
            (
                *void_reasons,
                *journal.void_reasons(scenario, events),
                *steady_state.void_reasons(scenario, samples),
            )
        )
    )
    if aborted is None and found.held is None:
        reasons = (*reasons, *(f"{each.name}: {each.reason}" for each in found.verdicts if each.held is None))
    word = _word(aborted is not None, bool(reasons), found)
    return ExperimentResult(
        word=word,
        sentence=_sentence(word, found, aborted or "", reasons),
        judgement=found,
        acted=tuple(
            f"{event.values.get('target')}: {event.values.get('says')}"
            for event in events
            if event.event == journal.ACTED
        ),
        void_reasons=reasons,
        aborted=aborted or "",
    )


def _word(aborted: bool, void: bool, found: Judgement) -> Word:
    if aborted:
        return Word.ABORTED
    if void:
        return Word.VOID
    return Word.HELD if found.held else Word.DEVIATED


def _sentence(word: Word, found: Judgement, aborted: str, reasons: tuple[str, ...]) -> str:
    if word is Word.ABORTED:
        return f"Aborted and rolled back: {aborted}"
    if word is Word.VOID:
        return f"Void: {reasons[0]}" + (f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else "")
    if word is Word.DEVIATED:
        worst = found.missed[0]
        count = f"{len(found.missed)} of {len(found.verdicts)} expectations missed"
        return f"Deviated: {count}, first {worst.name} at {_show(worst.value, worst.unit)}"
    recovery = f", recovered in {format_seconds(round(found.recovery_seconds, 3))}" if found.recovery_seconds else ""
    return f"Held: all {len(found.verdicts)} expectations{recovery}"


def _show(value: float | None, unit: str) -> str:
    if value is None:
        return "nothing"
    if unit == "seconds":
        return format_seconds(round(value, 4))
    return format_ratio(round(value, 4)) if unit == "ratio" else f"{value:g}"


def _limits(name: str, expectation: Expectation) -> list[str]:
    outside = f" outside {expectation.outside}" if expectation.outside else ""
    named = (
        ("p50", expectation.p50),
        ("p95", expectation.p95),
        ("p99", expectation.p99),
        ("errors", expectation.errors_ratio),
    )
    found = [f"{name} {measure} {limit}{outside}" for measure, limit in named if limit is not None]
    if expectation.lost is not None:
        found.append(f"{name}: at most {expectation.lost} acknowledged and lost")
    return found


def _step(fault: Fault) -> str:
    when = f"at {format_seconds(fault.at_seconds)}"
    long = f" for {format_seconds(fault.for_seconds)}" if fault.for_seconds else ""
    return f"{when}{long}: {fault.sentence}"
