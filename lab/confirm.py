"""Confirms a predicted breakpoint on the real stack: runs below and above it, then a short search for the measured one.

Each run is a pair like any other: simulated, measured, compared, with its report. All runs have the scenario's seed, so
they differ in the burst alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import UserError
from core.fixed_work import speed_ahead
from core.profile import Profile, scaled
from core.recovery import Recovery, recovery
from core.scenario import Scenario, explain
from lab import fixed_work, pair
from lab.compare import MATCHED
from loadtest import plan
from planning.breakpoint import scenes
from planning.breakpoint.scenes import Burst, Disturbance
from planning.breakpoint.search import rounded
from planning.breakpoint.study import Breakpoint, DisturbanceAnswer, goodput, majority_back
from planning.breakpoint.text import back
from planning.simulations.readings import Reading
from planning.studies import words
from present import figures
from present.parts import Section, Table, row
from present.progress import task
from present.tables import MARKS, labelled, table, verdict
from records import profiles, run

#: Where the first two runs are, over the predicted boundary …
BELOW: Final = 0.85
ABOVE: Final = 1.15
#: … and where further ones may be: between them, or beyond the one that contradicts.
_BETWEEN: Final = 1.0
_HIGHER: Final = (1.4, 2.0)
_LOWER: Final = (0.7, 0.5)
#: Real runs at most, and how often one that is void is tried.
RUNS_MAX: Final = 4
TRIES: Final = 2
#: About how long a run takes beside its traffic: start, both simulations, check, stop; and seeding a person.
_AROUND_SECONDS: Final = 45.0
_PERSON_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedRecovery:
    """What the model says at the CPU demand that the run had, which the prediction could not know."""

    speed: float  # that demand over the profile's
    recovery: Recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmingRun:
    """One run on the real stack beside what the model had said of it."""

    amount: float
    folder: Path
    predicted: tuple[Reading, ...]
    measured: Recovery
    matched: MatchedRecovery | None = None
    void_reasons: tuple[str, ...] = ()
    void_before: tuple[Path, ...] = ()  # runs of the same that were void

    @property
    def came_back(self) -> bool | None:
        """Whether the real stack came back; None for a void run."""
        return None if self.void_reasons else self.measured.after_seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The runs, and the boundary that the model had predicted; None where it had predicted none."""

    disturbance: Disturbance
    predicted: float | None
    runs: tuple[ConfirmingRun, ...]

    @property
    def low(self) -> float | None:
        """The highest amount below `high` from which the real stack came back."""
        back = [each.amount for each in self.runs if each.came_back and (self.high is None or each.amount < self.high)]
        return max(back, default=None)

    @property
    def high(self) -> float | None:
        """The lowest amount from which the real stack did not come back."""
        return min((each.amount for each in self.runs if each.came_back is False), default=None)

    @property
    def confirmed(self) -> bool | None:
        """Whether the prediction held; None if void runs leave that open."""
        if self.predicted is None:
            return self.runs[0].came_back
        ours = {each.amount: each.came_back for each in self.runs}
        below, above = (ours.get(_amount(self.disturbance, self.predicted, probe)) for probe in (BELOW, ABOVE))
        if below is False or above:
            return False
        return None if below is None or above is None else True

    @property
    def exit_code(self) -> int:
        """As everywhere: 0 confirmed, 99 not, 4 void."""
        return {True: 0, False: 99, None: 4}[self.confirmed]

    @property
    def sentence(self) -> str:
        amount, name = self.disturbance.amount, self.disturbance.name
        if self.confirmed is None:
            return "not judged, because a run is void: " + "; ".join(
                f"{amount(each.amount)}: {', '.join(each.void_reasons)}" for each in self.runs if each.void_reasons
            )
        if self.predicted is None:
            only = self.runs[0]
            if not self.confirmed:
                return f"the real stack does not come back from a {name} of {amount(only.amount)}, the model does"
            return (
                f"the real stack comes back from a {name} of {amount(only.amount)} {back_text(only.measured)}; "
                f"predicted {back(only.predicted)}"
            )
        if self.high is None:
            where = f"comes back even from {amount(max(each.amount for each in self.runs))}"
        elif self.low is None:
            where = f"does not come back even from {amount(self.high)}"
        else:
            where = f"comes back from {amount(self.low)} and not from {amount(self.high)}"
        within = f", within {ABOVE - 1:.0%}".replace("%", " %") if self.confirmed else ""
        return f"the real stack {where}; predicted {amount(self.predicted)}{within}"


def amounts(answer: DisturbanceAnswer) -> tuple[float, ...]:
    """Every amount at which a confirmation may run the real stack."""
    if answer.boundary.value is None:
        return (answer.disturbance.most,)
    probes = (*_LOWER[::-1], BELOW, _BETWEEN, ABOVE, *_HIGHER)
    found = (_amount(answer.disturbance, answer.boundary.value, probe) for probe in probes)
    return tuple(sorted(dict.fromkeys(found)))


def following(came_back: Mapping[float, bool | None]) -> float | None:
    """The probe to run next, over the predicted boundary, after what was seen at others; None when it is enough.

    One run below and one above. If they are as predicted, one at the boundary itself; if both contradict in the same
    direction, the search goes on in that direction until it is contradicted. A void run (None) ends it.
    """
    for probe in (BELOW, ABOVE):
        if probe not in came_back:
            return probe
    below, above = came_back[BELOW], came_back[ABOVE]
    if None in came_back.values() or len(came_back) >= RUNS_MAX:
        return None
    if below and not above:
        return None if _BETWEEN in came_back else _BETWEEN
    if below and above:
        return _first_missing(_HIGHER, came_back, until=False)
    if not below and not above:
        return _first_missing(_LOWER, came_back, until=True)
    return None


def _first_missing(probes: Iterable[float], came_back: Mapping[float, bool | None], *, until: bool) -> float | None:
    for probe in probes:
        if probe not in came_back:
            return probe
        if came_back[probe] is until:
            return None
    return None


def _amount(disturbance: Disturbance, boundary: float, probe: float) -> float:
    """The amount of a probe: within what was searched, and a burst stays above the normal load."""
    return rounded(min(disturbance.most, max(boundary * probe, (disturbance.start * boundary) ** 0.5)))


def check(scenario: Scenario, disturbance: Disturbance, amount: float, *, observe_seconds: float) -> None:
    """Raise UserError where the load generator cannot send the traffic of this amount."""
    try:
        plan.make_plan(scenes.disturbed(scenes.normal(scenario), disturbance, amount, observe_seconds=observe_seconds))
    except plan.LoadPlanError as error:
        highest = plan.RATE_MAX_PER_SECOND / scenario.traffic.rate_per_second
        advice = f"; at {figures.rate(scenario.traffic.rate_per_second)} it sends less than {highest:.3g}×"
        raise UserError(
            f"--confirm: the load generator cannot send a {disturbance.name} of {disturbance.amount(amount)}: {error}"
            + (advice if isinstance(disturbance, Burst) else "")
        ) from error


def expected(found: Breakpoint, answer: DisturbanceAnswer) -> str:
    """How long the confirmation takes, for people who are about to wait for it."""
    scene = scenes.disturbed(
        found.scenario, answer.disturbance, amounts(answer)[-1], observe_seconds=found.request.observe_seconds
    )
    seconds = scenes.seconds_of(scene) + _AROUND_SECONDS + _PERSON_SECONDS * scene.population.people
    count = 1 if answer.boundary.value is None else RUNS_MAX
    runs = "one run" if count == 1 else f"up to {count} runs"
    return f"confirm: {runs} on the real stack, about {figures.took(seconds)} each"


def confirm(
    found: Breakpoint,
    answer: DisturbanceAnswer,
    predicted: Mapping[float, Sequence[Reading]],
    *,
    measure: Callable[[Scenario], ConfirmedPair],
) -> Confirmation:
    """Run the real stack at some of `amounts`, of which the model's readings are ``predicted``. A void run is repeated
    once."""
    disturbance, boundary = answer.disturbance, answer.boundary.value
    runs: list[ConfirmingRun] = []
    seen: dict[float, bool | None] = {}
    probe = following(seen)
    while probe is not None:
        amount = disturbance.most if boundary is None else _amount(disturbance, boundary, probe)
        scene = scenes.disturbed(found.scenario, disturbance, amount, observe_seconds=found.request.observe_seconds)
        made = next((each for each in runs if each.amount == amount), None)
        if made is None:
            tries = [measure(scene)]
            while tries[-1].void_reasons and len(tries) < TRIES:
                tries.append(measure(scene))
            measured = tries[-1]
            made = ConfirmingRun(
                amount=amount,
                folder=measured.folder,
                predicted=tuple(predicted[amount]),
                measured=measured.recovery,
                matched=measured.matched,
                void_reasons=measured.void_reasons,
                void_before=tuple(each.folder for each in tries[:-1]),
            )
            runs.append(made)
        seen[probe] = made.came_back
        probe = None if boundary is None else following(seen)
    return Confirmation(disturbance=disturbance, predicted=boundary, runs=tuple(runs))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedPair:
    """What was measured of one scenario."""

    folder: Path
    recovery: Recovery
    void_reasons: tuple[str, ...]
    matched: MatchedRecovery | None = None


def measured(scenario: Scenario, folder: Path, *, chosen: profiles.Chosen, data: Path) -> ConfirmedPair:
    """Run ``scenario`` on the model and on the real stack into ``folder``, and read its recovery."""
    pair.make(scenario, explain(scenario), folder, chosen=chosen, data=data)
    real = run.read(folder / pair.MEASURED)
    seen = recovery(scenario, real.samples)
    assert seen is not None  # the scenario has a phase, and limits
    return ConfirmedPair(
        folder=folder, recovery=seen, void_reasons=real.record.validity.reasons, matched=_matched(scenario, folder)
    )


def _matched(scenario: Scenario, folder: Path) -> MatchedRecovery | None:
    """Of the pair's simulation at the speed of its run; None if there is none."""
    if not (folder / MATCHED / run.RECORD_FILE).exists():
        return None
    simulated = run.read(folder / MATCHED)
    seen = recovery(scenario, simulated.samples)
    return None if seen is None else MatchedRecovery(speed=simulated.record.speed, recovery=seen)


def of_this_machine(scenario: Scenario, profile: Profile) -> tuple[Profile, str]:
    """The profile with its CPU demand scaled to this machine by fixed work, as `windtunnel run` predicts, and a
    sentence about that. The factor has two digits, so that a study that is repeated finds its simulations."""
    with task("fixed work"):
        here = fixed_work.measure(scenario.system.placement.cores.stack)
    ahead = speed_ahead(here, profile.fixed_work)
    speed = float(f"{ahead.speed:.2g}")
    return (profile if speed == 1.0 else scaled(profile, speed)), ahead.sentence


def back_text(seen: Recovery) -> str:
    """``after 3 s`` or ``no``."""
    return "no" if seen.after_seconds is None else f"after {seen.after_seconds:.0f} s"


def _comes_back(seen: Recovery) -> str:
    return "does not come back" if seen.after_seconds is None else f"comes back {back_text(seen)}"


_HEAD: Final = ("predicted", "measured", "goodput", "measured", "refused", "measured")


def _rows(confirmation: Confirmation) -> list[list[str]]:
    found = []
    for each in sorted(confirmation.runs, key=lambda each: each.amount):
        refused = words.mean(each.predicted, "recovery.refused_ratio")
        found.append(
            [
                confirmation.disturbance.amount(each.amount),
                back(each.predicted),
                "void" if each.void_reasons else back_text(each.measured),
                figures.share(goodput(each.predicted)),
                figures.share(each.measured.goodput_ratio),
                figures.share(None if refused is None else refused.value),
                figures.share(each.measured.refused_ratio),
            ]
        )
    return found


def render(confirmation: Confirmation) -> str:
    """The confirmation as text for the terminal."""
    ordered = sorted(confirmation.runs, key=lambda each: each.amount)
    marks = [
        MARKS[None if each.came_back is None else each.came_back == majority_back(each.predicted)] for each in ordered
    ]
    body = [[f"{mark} {cells[0]}", *cells[1:]] for mark, cells in zip(marks, _rows(confirmation), strict=True)]
    lines = [
        verdict(f"{confirmation.sentence}.", confirmation.confirmed is True),
        "",
        *table(["ON THE REAL STACK", *_HEAD], body)[0],
        "",
    ]
    for each in ordered:
        if each.matched is not None:
            lines += labelled(
                "SPEED",
                f"{confirmation.disturbance.amount(each.amount)}: at the CPU demand that the run had, "
                f"{each.matched.speed:.2f} × the profile's, the model {_comes_back(each.matched.recovery)}",
            )
    for each in confirmation.runs:
        if each.void_before:
            names = ", ".join(folder.name for folder in each.void_before)
            lines += labelled("NOTE", f"{each.folder.name} repeats {names}, which is void")
        if each.void_reasons:
            lines += labelled("VOID", f"{each.folder.name}: {'; '.join(each.void_reasons)}")
    return "\n".join([*lines, f"runs    {', '.join(each.folder.name for each in confirmation.runs)}"])


def section(confirmation: Confirmation) -> Section:
    """The confirmation as a section of the study's page."""
    rows = (row(*cells) for cells in _rows(confirmation))
    head = (confirmation.disturbance.name, *_HEAD)
    return Section(
        title="On the real stack",
        sentences=(f"{confirmation.sentence[:1].upper()}{confirmation.sentence[1:]}.",),
        tables=(Table.of(head, rows, 1, 2),),
    )


def record(confirmation: Confirmation) -> dict[str, Any]:
    """The confirmation as JSON."""
    return {
        "predicted": confirmation.predicted,
        "measured_low": confirmation.low,
        "measured_high": confirmation.high,
        "confirmed": confirmation.confirmed,
        "sentence": confirmation.sentence,
        "runs": [
            {
                "amount": each.amount,
                "run": str(each.folder),
                "void_reasons": list(each.void_reasons),
                "void_before": [str(folder) for folder in each.void_before],
                "predicted_back": majority_back(each.predicted),
                "predicted_goodput_ratio": goodput(each.predicted),
                "matched_speed": None if each.matched is None else each.matched.speed,
                "matched_back_seconds": None if each.matched is None else each.matched.recovery.after_seconds,
                "measured_back_seconds": each.measured.after_seconds,
                "measured_goodput_ratio": each.measured.goodput_ratio,
                "measured_degraded_ratio": each.measured.degraded_ratio,
                "measured_refused_ratio": each.measured.refused_ratio,
            }
            for each in confirmation.runs
        ],
    }
