"""The text of a sweep for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.scenario.reach import ScenarioSide, without_effect
from planning.studies import words
from planning.sweep.study import Sweep
from present.tables import MARKS, table, wrapped


def render(sweep: Sweep, folder: Path, *, show: Sequence[str] = (), took: str = "") -> str:
    chosen = list(dict.fromkeys([*show, *sweep.headline]))
    fields = [axis.field.rpartition(".")[2] for axis in sweep.axes]
    judged = any(result.held is not None for result in sweep.results)
    head = [*(["", *fields] if judged else fields), *(words.name_of(figure) for figure in chosen)]
    body = [
        [
            *([MARKS[result.held]] if judged else []),
            *(value for _, value in result.point.settings),
            *(sweep.cell(figure, result) for figure in chosen),
        ]
        for result in sweep.results
    ]
    lines, missing = table(head, body, texts=len(head) - len(chosen))
    said = [
        words.heading(f"sweep {sweep.scenario.name}", seed=sweep.scenario.seed, source=sweep.source, took=took),
        *wrapped(sweep.sentence),
        "",
        *lines,
        "",
        *wrapped(
            (
                f"{sweep.replications} replications a setting, intervals of 95 %; "
                if sweep.replications > 1
                else "one replication, so no intervals (--replications 5); "
            )
            + sweep.source.durations(sweep.replications)
        ),
    ]
    if sweep.limited:
        said.append(words.time_limit(sweep.scenario))
    scenarios = (result.point.scenario for result in sweep.results)
    for note in dict.fromkeys(note for each in scenarios for note in without_effect(each, ScenarioSide.MODEL)):
        said += wrapped(f"note    {note}", rest=" " * 8)
    if missing:
        said.append(f"also    {', '.join(missing)}")
    said += [f"files   {folder / 'sweep.csv'}, sweep.parquet, sweep.json", f"page    {folder / 'sweep.html'}"]
    return "\n".join(said)
