"""The text of a breakpoint study for the terminal."""

from __future__ import annotations

from pathlib import Path

from planning.breakpoint import scenes
from planning.breakpoint.study import Breakpoint, DisturbanceAnswer, goodput, is_back, percent
from planning.simulations.readings import BACK_AFTER, Reading
from planning.studies import words
from present import figures
from present.tables import MARKS, table, verdict, wrapped


def render(found: Breakpoint, folder: Path, *, took: str = "") -> str:
    good = found.carries and all(each.boundary.value is None for each in found.answers)
    said = [
        words.heading(f"breakpoint {found.scenario.name}", seed=found.scenario.seed, source=found.source, took=took),
        verdict(found.sentence, good),
    ]
    for answer in found.answers:
        said += ["", *_trials(answer)]
        if answer.falls.readings:
            said += ["", *_falls(answer)]
    said += ["", *(line for note in notes(found) for line in wrapped(note))]
    said += [f"page    {folder / 'breakpoint.html'}"]
    return "\n".join(said)


def notes(found: Breakpoint) -> tuple[str, ...]:
    """How the figures are to be read."""
    request = found.request
    count = len(found.normal)
    limits = "the scenario's expectations" if found.own_limits else "limits of the normal state (twice its p95)"
    said = [
        f"“Comes back”: within {request.observe_seconds:g} s after the end, under the normal load of "
        f"{figures.rate(found.scenario.traffic.rate_per_second)}, most seconds are within {limits} again; "
        f"{count} replication{'s' if count > 1 else ''}, durations of {found.source.calibration}."
    ]
    left = count - found.carried
    if found.carries and left:
        said.append(f"Left out: {left} of {count} replications, which do not carry the normal load by themselves.")
    for answer in found.answers:
        if answer.returns:
            name, amounts = answer.disturbance.name, ", ".join(map(answer.disturbance.amount, answer.returns))
            said.append(f"Not monotone: it comes back from a {name} of {amounts}, above the boundary.")
    return tuple(said)


def back(readings: tuple[Reading, ...]) -> str:
    """``after 3 s``, ``after 3 s (1 of 5 not)`` or ``no``."""
    seconds = [each.figures[BACK_AFTER] for each in readings if is_back(each)]
    missing = len(readings) - len(seconds)
    if not seconds:
        return "no"
    some = f" ({missing} of {len(readings)} not)" if missing else ""
    return f"after {max(seconds):.0f} s{some}"


def rows(answer: DisturbanceAnswer) -> list[list[str]]:
    """Every amount that all replications tried: its mark, whether it came back, and what was answered at the end."""
    found = []
    for amount in answer.trials.amounts:
        readings = answer.trials.at(amount)
        found.append([answer.disturbance.amount(amount), *_cells(readings)])
    return found


def fall_rows(answer: DisturbanceAnswer) -> list[list[str]]:
    """The same for every load after the fall."""
    return [[percent(load), *_cells(answer.falls.at(load))] for load in answer.falls.amounts]


def _cells(readings: tuple[Reading, ...]) -> list[str]:
    refused = words.mean(readings, "recovery.refused_ratio")
    degraded = words.mean(readings, "recovery.degraded_ratio")
    return [
        back(readings),
        figures.share(goodput(readings)),
        figures.share(None if degraded is None else degraded.value),
        figures.share(None if refused is None else refused.value),
    ]


def _trials(answer: DisturbanceAnswer) -> list[str]:
    head = [answer.disturbance.name, "comes back", "goodput", "degraded", "refused"]
    amounts = answer.trials.amounts
    marks = [MARKS[all(map(is_back, answer.trials.at(amount)))] for amount in amounts]
    body = [[f"{mark} {cells[0]}", *cells[1:]] for mark, cells in zip(marks, rows(answer), strict=True)]
    return table(head, body)[0]


def _falls(answer: DisturbanceAnswer) -> list[str]:
    assert answer.height is not None
    title = f"after {answer.disturbance.amount(answer.height)}, the load falls to"
    return table([title, "comes back", "goodput", "degraded", "refused"], fall_rows(answer))[0]


def load_band(answer: DisturbanceAnswer) -> str:
    """``55 % [50–62]``."""
    if not answer.load:
        return f"below {percent(scenes.LOADS[0])}"
    return f"{percent(answer.load)} [{100 * answer.loads[0]:.0f}–{100 * answer.loads[-1]:.0f}]"
