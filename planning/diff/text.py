"""The text of a diff for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from planning.diff.study import Diff
from planning.studies import words
from planning.studies.difference import PAIRS_MIN, FigureDifference
from present.tables import table, wrapped

#: At most this many differing figures are shown unless all are requested.
_SHOWN_MAX: Final = 12


def render(diff: Diff, folder: Path, *, show_all: bool = False, took: str = "") -> str:
    command = f"diff {diff.names[0]} {diff.names[1]}"
    said = [words.heading(command, seed=diff.first.seed, source=diff.source, took=took), *wrapped(diff.sentence)]
    said += ["", "SETTINGS" if diff.settings else "SETTINGS  none differ"]
    said += [f"  {field}: {ours or 'nothing'} → {theirs or 'nothing'}" for field, ours, theirs in diff.settings]
    headline = dict.fromkeys(diff.headline)
    noise = [each for each in diff.differences if not each.distinguishable and not each.same]
    equal = [each for each in diff.differences if each.same]
    sure = diff.distinguished if show_all else diff.distinguished[:_SHOWN_MAX]
    shown = noise if show_all else [each for each in noise if each.figure in headline]
    for title, rows, count in (
        ("DIFFERENT", sure, len(diff.distinguished)),
        ("NOT DISTINGUISHABLE", shown, len(noise)),
    ):
        said += (
            ["", *_figures(diff, title, rows)] if rows else ["", f"{title}  {count} figures (--all)"] if count else []
        )
        if 0 < len(rows) < count:
            said.append(f"  … {count - len(rows)} more (--all)")
    if equal:
        said += ["", f"EQUAL  {len(equal)} figures, in every pair of replications"]
    if not diff.differences:
        said += ["", f"No figure has {PAIRS_MIN} pairs of replications; simulate longer or more often."]
    said += ["", *(line for note in diff.notes for line in wrapped(note))]
    said += [
        *wrapped(f"{diff.replications} pairs of replications; {diff.source.durations(diff.replications)}"),
        f"page    {folder / 'diff.html'}",
    ]
    return "\n".join(said)


def _figures(diff: Diff, title: str, found: Sequence[FigureDifference]) -> list[str]:
    body = [
        [
            f"  {words.name_of(each.figure)}",
            *diff.values(each),
            words.change(each.figure, each.difference),
        ]
        for each in found
    ]
    return table([title, "first", "second", "difference"], body)[0]
