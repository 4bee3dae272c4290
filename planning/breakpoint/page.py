"""A breakpoint study's page: how much is answered after each burst, the boundary, and all of it as tables."""

from __future__ import annotations

from core.scenario import explain
from planning.breakpoint import text
from planning.breakpoint.study import Breakpoint, DisturbanceAnswer, goodput
from planning.simulations.readings import GOODPUT
from planning.studies import words
from present import charts
from present.charts.lines import ChartLine, LineSpot, Scale, lines
from present.parts import LISTING_MAX, Listing, PageFigure, Report, Section, Table, csv_text, row

_HEAD = ("comes back", "goodput", "degraded", "refused")


def content(found: Breakpoint) -> Report:
    return Report(
        title=f"{found.scenario.name}: breakpoint",
        sentence=found.sentence,
        good=found.carries and all(each.boundary.value is None for each in found.answers),
        caption=words.caption(f"{len(found.normal)} replications", seed=found.scenario.seed, source=found.source),
        says=found.scenario.description,
        sections=(
            *(section for each in found.answers for section in _sections(each)),
            Section(
                title="How to read this",
                sentences=text.notes(found),
                listings=(Listing(title="the normal load", text=explain(found.scenario)[:LISTING_MAX]),),
            ),
        ),
    )


def _sections(answer: DisturbanceAnswer) -> list[Section]:
    name = answer.disturbance.name
    tried = (row(*cells, mark="" if cells[1].startswith("after") else "missed") for cells in text.rows(answer))
    found = [
        Section(
            title=f"After a {name}",
            figures=(_chart(answer),),
            tables=(Table.of((name, *_HEAD), tried, 1),),
        )
    ]
    if answer.height is not None and answer.falls.readings:
        height = answer.disturbance.amount(answer.height)
        rows = (row(*cells) for cells in text.fall_rows(answer))
        found.append(
            Section(
                title="When the load falls",
                sentences=(
                    f"After a {name} of {height} the load falls 10 s later; it recovers at "
                    f"{text.load_band(answer)} of the normal load.",
                ),
                tables=(Table.of(("load", *_HEAD), rows, 1),),
            )
        )
    return found


def _chart(answer: DisturbanceAnswer) -> PageFigure:
    spots = []
    for amount in answer.trials.amounts:
        shares = [each.figures[GOODPUT] for each in answer.trials.at(amount)]
        mean = goodput(answer.trials.at(amount)) or 0.0
        spots.append(LineSpot(x=amount, value=mean, low=min(shares), high=max(shares)))
    drawn = (ChartLine(name="", spots=tuple(spots)),)

    def svg(width: int, height: int) -> str:
        return charts.svg(
            lines(
                drawn,
                x_title=answer.disturbance.axis,
                x_log=True,
                scale=Scale(title="goodput at the end", unit=" %", factor=100.0),
                palette=charts.CSS,
                width=width,
                height=height,
            )
        )

    return PageFigure(
        caption="Share of the requests at the end of the observation that are answered within their limits; the band "
        "holds all replications.",
        alt="; ".join(f"{cells[0]}: {cells[1]}, {cells[2]}" for cells in text.rows(answer)),
        wide=svg(500, 220),
        narrow=svg(230, 180),
        data=csv_text(("amount", "goodput"), ((spot.x, f"{spot.value:.6g}") for spot in spots)),
    )
