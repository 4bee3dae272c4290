"""A sweep's page: each headline figure over the first setting, a line for each combination of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from core.scenario import explain
from planning.simulations.readings import measure_of
from planning.studies import words
from planning.studies.values import number
from planning.sweep.study import NeighbourDifference, PointResult, Sweep
from present import charts
from present.charts.lines import LINES_MAX, ChartLine, LineSpot, Scale, lines
from present.parts import LISTING_MAX, Listing, PageFigure, Report, Row, Section, Table, csv_text, row

#: Settings that a caption names.
_NAMED_MAX: Final = 3
_WIDE: Final = 500
_NARROW: Final = 230


def content(sweep: Sweep) -> Report:
    return Report(
        title=f"{sweep.scenario.name}: sweep of {', '.join(axis.field for axis in sweep.axes)}",
        sentence=sweep.sentence,
        good=sweep.good,
        caption=words.caption(
            f"{sweep.replications} replications a setting", seed=sweep.scenario.seed, source=sweep.source
        ),
        says=sweep.scenario.description,
        sections=(
            *(_chart(sweep, figure) for figure in sweep.headline),
            _table(sweep),
            *_neighbours(sweep),
            Section(
                title="Scenario",
                listings=(Listing(title="as it is without the settings", text=explain(sweep.scenario)[:LISTING_MAX]),),
            ),
        ),
    )


def _chart(sweep: Sweep, figure: str) -> Section:
    name = words.name_of(figure)
    drawn = _lines(sweep, figure)
    limit = words.limits(sweep.scenario).get(figure)
    rows = [
        f"{result.point.name}: {sweep.cell(figure, result)}"
        for result in sweep.results
        if result.estimate(figure) is not None
    ]
    listed = "; ".join(rows[:12]) + ("; …" if len(rows) > 12 else ".")
    left = len(drawn) - LINES_MAX
    absent = [result.point.name for result in sweep.results if result.estimate(figure) is None]
    caption = f"{name} over {sweep.axes[0].field}; " + (
        f"bands are 95 % intervals over {sweep.replications} replications"
        if sweep.replications > 1
        else "one replication, so no intervals"
    )
    caption += f"; {left} more combinations are in the table." if left > 0 else "."
    if absent:
        more = f" and {len(absent) - _NAMED_MAX} more" if len(absent) > _NAMED_MAX else ""
        caption += f" Not drawn, because of too few requests: {'; '.join(absent[:_NAMED_MAX])}{more}."

    def svg(width: int, height: int) -> str:
        return charts.svg(
            lines(
                drawn,
                x_title=sweep.axes[0].field,
                x_unit=_unit(sweep),
                x_log=_log(sweep),
                scale=_scale(figure),
                palette=charts.CSS,
                limit=limit,
                limit_name=f"limit {words.value(figure, limit)}" if limit is not None else "",
                width=width,
                height=height,
            )
        )

    return Section(
        title=name,
        figures=(
            PageFigure(
                caption=caption,
                alt=f"{name}. {listed}",
                wide=svg(_WIDE, 240),
                narrow=svg(_NARROW, 200),
                data=_csv(drawn, sweep.axes[0].field),
            ),
        ),
    )


def _lines(sweep: Sweep, figure: str) -> list[ChartLine]:
    first = sweep.axes[0].field
    groups: dict[str, list[LineSpot]] = {}
    for result in sweep.results:
        found = result.estimate(figure)
        if found is None:
            continue
        others = ", ".join(f"{field.rpartition('.')[2]} {value}" for field, value in result.point.settings[1:])
        known = math.isfinite(found.low) and math.isfinite(found.high)
        low, high = (found.low, found.high) if known else (found.value, found.value)
        spot = LineSpot(x=_x(dict(result.point.settings)[first], sweep), value=found.value, low=low, high=high)
        groups.setdefault(others, []).append(spot)
    return [ChartLine(name=name, spots=tuple(spots)) for name, spots in groups.items()]


def _x(value: str, sweep: Sweep) -> float | str:
    found = number(value)
    return value if found is None or not _numeric(sweep) else found.value


def _numeric(sweep: Sweep) -> bool:
    """Whether the first setting's values lie on one axis: numbers of one unit."""
    found = [number(value) for value in sweep.axes[0].values]
    return all(each is not None for each in found) and len({each.unit for each in found if each is not None}) == 1


def _unit(sweep: Sweep) -> str:
    found = number(sweep.axes[0].values[0])
    return found.unit if found is not None and _numeric(sweep) else ""


def _log(sweep: Sweep) -> bool:
    """By equal factors where the values themselves are."""
    found = [each.value for value in sweep.axes[0].values if (each := number(value)) is not None]
    return _numeric(sweep) and len(found) > 2 and min(found) > 0 and max(found) / min(found) > 20


def _scale(figure: str) -> Scale:
    measure = measure_of(figure)
    if measure.endswith("_seconds"):
        return Scale(title=words.name_of(figure), factor=1e3, log=True)
    if measure.endswith("_ratio"):
        return Scale(title=words.name_of(figure), unit=" %", factor=100.0)
    if measure.startswith("dollars"):
        return Scale(title=f"{words.name_of(figure)}, $")
    return Scale(title=words.name_of(figure), unit="/s" if measure.endswith("_per_second") else "")


def _csv(drawn: Sequence[ChartLine], field: str) -> str:
    rows = (
        (each.name, spot.x, *(f"{value:.6g}" for value in (spot.value, spot.low, spot.high)))
        for each in drawn
        for spot in each.spots
    )
    return csv_text(("others", field, "value", "low", "high"), rows)


def _neighbours(sweep: Sweep) -> list[Section]:
    """A table for the first headline figure; none with too few replications."""
    for figure in sweep.headline[:1]:
        rows = [
            row(
                each.axis,
                f"{dict(each.first.point.settings)[each.axis]} → {dict(each.second.point.settings)[each.axis]}",
                _others(each),
                "distinguishable" if each.found.distinguishable else "not distinguishable",
                words.change(figure, each.found.difference),
                f"{each.found.together:.2g}",
                mark="" if each.found.distinguishable else "faint",
            )
            for each in sweep.neighbours(figure)
        ]
        caption = (
            f"{words.name_of(figure)} from each value to the next, over {sweep.replications} pairs of replications "
            "with the same seeds, with 95 % intervals; verdicts by Holm's method over these lines together."
        )
        head = ("field", "change", "at", "verdict", "difference", "p, Holm")
        if rows:
            return [Section(title="From setting to setting", tables=(Table.of(head, rows, 1, 2, 3, caption=caption),))]
    return []


def _others(each: NeighbourDifference) -> str:
    """The settings that both have."""
    return ", ".join(
        f"{field.rpartition('.')[2]} {value}" for field, value in each.first.point.settings if field != each.axis
    )


def _table(sweep: Sweep) -> Section:
    figures = sweep.headline
    marks = {True: "held", False: "missed", None: "not judged"}

    def cells(result: PointResult) -> Row:
        return row(
            *(value for _, value in result.point.settings),
            result.unsteady or marks[result.held],
            *(sweep.cell(figure, result) for figure in figures),
            mark="missed" if result.held is False else "",
        )

    head = (
        *(axis.field for axis in sweep.axes),
        "expectations",
        *(words.name_of(figure) for figure in figures),
    )
    caption = "Means over the replications with their 95 % intervals; every figure of every simulation is in sweep.csv."
    if sweep.limited:
        caption += f" {words.time_limit(sweep.scenario)}"
    verdict = len(sweep.axes)
    table = Table(head=head, rows=tuple(map(cells, sweep.results)), caption=caption, texts=frozenset({verdict}))
    return Section(title="Settings", tables=(table,))
