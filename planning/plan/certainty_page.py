"""Sections of a plan's page on its uncertainty: over all draws, and what moves each figure."""

from __future__ import annotations

from collections.abc import Iterator

from planning.plan import chart_data as tables
from planning.plan import words
from planning.plan.answer import Plan
from planning.plan.certainty.uncertainty import Output
from planning.plan.chart_data import NARROW, WIDE
from present import charts
from present.charts import plans
from present.parts import PageFigure, Row, Section, Table


def sections(plan: Plan) -> Iterator[Section]:
    """Sections on the intent's ranges; none if it has none."""
    known = plan.uncertainty
    if known is None:
        return
    low, high = known.met_model
    rows = (
        Row(cells=("P(limits hold in the worst hour)", words.percent(known.met_ratio, digits=1),
                   f"±{known.met_error * 100:.1f} % by the number of draws; {words.percent(low)} to "
                   f"{words.percent(high)} by the model's own error")),
        *([Row(cells=("P(availability holds)", words.percent(known.available_ratio, digits=1), ""))]
          if known.available_ratio is not None else []),
        Row(cells=("P(short)", words.percent(known.short_ratio, digits=1), f"of this fleet: {words.SHORT}")),
        Row(cells=("P(no fleet holds the limits)", words.percent(known.unreachable_ratio, digits=1), "")),
        Row(cells=("least regret", f"{known.least_regret:.2f} × this fleet",
                   f"{words.money(known.least_regret_dollars)} a month of machines, short in "
                   f"{words.percent(known.least_regret_short)}, if a dollar missing is regretted as {known.regret:g}")),
    )  # fmt: skip
    yield Section(
        title="How sure",
        sentences=(
            f"{known.draws:,} draws from the intent's ranges. The inputs' uncertainty and the model's error "
            "are separate; there is no simulation noise, because nothing is simulated. The age of prices is in no "
            "draw; it has its own bar among those of the bill.",
        ),
        tables=(Table(head=("what", "value", "of it"), rows=rows, texts=frozenset({0, 2})),),
    )
    for output in known.outputs:
        yield _output(output)


def _output(output: Output) -> Section:
    name = words.output(output)
    log = output.unit == "seconds"

    def amount(value: float) -> str:
        return words.amount(value, output.unit)

    scale = 1e3 if log else 1.0
    bars = [(bar.name, bar.low * scale, bar.high * scale) for bar in output.tornado]

    title = f"{name}, minutes" if output.unit == "minutes" else name
    form = ".3~s" if output.unit == "minutes" else "$.3~s"

    def drawn(width: int) -> str:
        chart = plans.tornado(
            bars, middle=output.middle * scale, title=title, log=log, format=form, palette=charts.CSS, width=width
        )
        return charts.svg(chart)

    quantiles = ", ".join(f"{level * 100:g} %: {amount(value)}" for level, value in output.quantiles.items())
    rows = tuple(
        Row(
            cells=(
                each.name,
                words.percent(max(0.0, each.first)),
                f"{words.percent(each.total)} ± {each.total_error * 100:.0f}",
            )
        )
        for each in output.sobol
    )
    table = Table(
        head=("input", "alone", "with all interactions"), rows=rows, caption="Sobol indices: share of variance"
    )
    return Section(
        title=f"What moves {'' if log else 'the '}{name}",
        sentences=(f"Quantiles over the draws: {quantiles}.",),
        tables=(table,) if rows else (),
        figures=(
            PageFigure(
                caption=f"{words.output(output)}: each input at its low and its high end, all others in the middle.",
                alt=", ".join(f"{bar.name} from {amount(bar.low)} to {amount(bar.high)}" for bar in output.tornado)
                + ".",
                wide=drawn(WIDE - 60),
                narrow=drawn(NARROW - 40),
                data=tables.text(
                    ("input", "low", "high"), ((b.name, f"{b.low:.6g}", f"{b.high:.6g}") for b in output.tornado)
                ),
            ),
        ),
    )
