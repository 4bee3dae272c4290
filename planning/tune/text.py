"""The text of a tuning for the terminal."""

from __future__ import annotations

from pathlib import Path

from planning.studies import words
from planning.tune.optimum import PRODUCT
from planning.tune.study import BEST_FILE, Tune, factor, short
from present.tables import table, wrapped


def render(tune: Tune, folder: Path, *, command: str, took: str = "") -> str:
    """The result for the terminal; ``command`` is the scenario's path as it was given."""
    said = [
        words.heading(f"tune {tune.scenario.name}", seed=tune.scenario.seed, source=tune.source, took=took),
        *wrapped(tune.sentence),
        "",
        *_candidates(tune, folder),
    ]
    if tune.differences:
        said += ["", f"BEST AGAINST TODAY'S, on {tune.request.replications} replications that did not choose it"]
        for change in tune.differences:
            if change.figure == PRODUCT:
                name, amount = tune.name, factor(change)
            else:
                name, amount = words.name_of(change.figure), words.change(change.figure, change.difference)
            said.append(f"  {name:<28}{amount:<30}{'' if change.distinguishable else 'not distinguishable'}".rstrip())
    said += [
        "",
        *wrapped(
            f"{len(tune.trials)} settings tried, {len(tune.front)} on the front; "
            f"{tune.source.durations(tune.request.replications)}"
        ),
        f"page    {folder / 'tune.html'}",
        f"confirm windtunnel run {folder / BEST_FILE}",
        f"        windtunnel run {command}",
    ]
    return "\n".join(said)


def _candidates(tune: Tune, folder: Path) -> list[str]:
    """A line for each candidate. Every objective is shown: if there is no room, first the names of fields become
    letters, then the intervals are left to the page."""
    fields = [field for field, _ in tune.today.settings]
    names = [field.rpartition(".")[2] for field in fields]
    letters = [chr(ord("a") + position % 26) for position in range(len(fields))]
    objectives = [short(one.figure) for one in tune.objectives]
    order = sorted(range(len(tune.candidates)), key=lambda index: (-tune.optimum.chosen_ratio[index], index))
    for heads, whole in ((names, True), (letters, True), (names, False), (letters, False)):
        body = [_candidate(tune, index, whole=whole) for index in order]
        lines, missing = table(["", *heads, *objectives, "best"], body, texts=len(fields) + 1)
        if not set(missing) & set(objectives):
            break
    if heads == letters:
        lines += wrapped(", ".join(f"{letter}: {field}" for letter, field in zip(letters, fields, strict=True)))
    if missing:
        lines.append(f"also in {folder / 'tune.json'}: {', '.join(missing)}")
    if any(">" in cell for row in body for cell in row):
        lines += wrapped(words.time_limit(tune.scenario))
    best = [] if "best" in missing else ["best: how often each would be the optimum (bootstrap)"]
    intervals = "intervals of 95 %" if whole else "intervals are on the page"
    return [*lines, "; ".join([*best, intervals])]


def _candidate(tune: Tune, index: int, *, whole: bool) -> list[str]:
    each = tune.candidates[index]
    mark = "★" if index == tune.optimum.best else "✗" if not each.feasible else " "
    patience = tune.scenario.traffic.timeout_seconds
    found = [(one.figure, each.mean(position)) for position, one in enumerate(tune.objectives)]
    if whole:
        figures_shown = [words.interval(figure, mean, patience_seconds=patience) for figure, mean in found]
    else:
        figures_shown = [words.value(figure, mean.value, patience_seconds=patience) for figure, mean in found]
    share = f"{tune.optimum.chosen_ratio[index]:.0%}".replace("%", " %")
    return [f"{mark} today" if index == 0 else mark, *(value for _, value in each.settings), *figures_shown, share]
