"""A comparison's page: settings that differ, each figure's relative change on one axis, and all of it as a table."""

from __future__ import annotations

import math

from planning.diff.study import Diff, word
from planning.studies import words
from present import charts
from present.charts.forest import Change, forest
from present.parts import PageFigure, Report, Section, Table, row

#: Lines of the chart; the table has all.
_CHANGES_MAX = 24


def content(diff: Diff) -> Report:
    return Report(
        title=f"{diff.names[0]} and {diff.names[1]}",
        sentence=diff.sentence,
        good=None,
        caption=words.caption(f"{diff.replications} pairs of replications", seed=diff.first.seed, source=diff.source),
        says=diff.second.description,
        sections=(_settings(diff), _chart(diff), _table(diff)),
    )


def _settings(diff: Diff) -> Section:
    if not diff.settings:
        return Section(title="Settings that differ", sentences=("None: both files say the same.",))
    rows = (row(field, ours or "–", theirs or "–") for field, ours, theirs in diff.settings)
    return Section(title="Settings that differ", tables=(Table.of(("field", *diff.names), rows, 1, 2),))


def _chart(diff: Diff) -> Section:
    noise = sorted((each for each in diff.differences if not each.distinguishable), key=lambda each: each.chance)
    changes = [
        Change(
            name=words.name_of(each.figure),
            ratio=each.difference.value / each.first,
            low=each.difference.low / each.first,
            high=each.difference.high / each.first,
            distinguishable=each.distinguishable,
        )
        for each in (*diff.distinguished, *noise)
        if each.first > 0 and not each.same and math.isfinite(each.difference.low)
    ][:_CHANGES_MAX]
    names = [f"{each.name} {each.ratio:+.1%}".replace("-", "−") for each in changes if each.distinguishable]
    return Section(
        title="What changes",
        sentences=diff.notes,
        figures=(
            PageFigure(
                caption="Relative change of each figure with its 95 % interval; grey ones are not distinguishable.",
                alt=f"Distinguishable: {', '.join(names) or 'none'}.",
                wide=charts.svg(forest(changes, palette=charts.CSS)),
                narrow=charts.svg(forest(changes, palette=charts.CSS, width=150)),
            ),
        ),
    )


def _table(diff: Diff) -> Section:
    rows = (
        row(
            words.name_of(each.figure),
            word(each),
            *diff.values(each),
            words.change(each.figure, each.difference),
            f"{each.together:.2g}",
            mark="" if each.distinguishable else "faint",
        )
        for each in sorted(diff.differences, key=lambda each: (not each.distinguishable, each.figure))
    )
    head = ("figure", "verdict", *diff.names, "difference, 95 %", "p, Holm")
    return Section(title="Figures", tables=(Table.of(head, rows, 1),))
