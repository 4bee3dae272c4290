"""Sections of a plan's page on its uncertainty: over all draws, and what moves each figure."""

from __future__ import annotations

from collections.abc import Iterator

from planning.plan import words
from planning.plan.answer import Plan
from planning.plan.certainty.uncertainty import Output
from present import charts
from present.charts import plans
from present.charts.plans import NARROW, WIDE
from present.parts import PageFigure, Section, Table, csv_text, row


def sections(plan: Plan) -> Iterator[Section]:
    """Sections on the uncertain inputs; none if there are none."""
    known = plan.uncertainty
    if known is None:
        return
    low, high = known.met_model
    error = (
        f"±{known.met_error * 100:.1f} % by the number of draws; {words.percent(low)} to {words.percent(high)} by the "
        "model's own error"
    )
    least = (
        f"{words.money(known.least_regret_dollars)} a month of machines, short in "
        f"{words.percent(known.least_regret_short)}, if a missing dollar is regretted as much as {known.regret:g} idle "
        "ones"
    )
    shares = (
        ("P(limits hold in the worst hour)", known.met_ratio, error),
        ("P(availability holds)", known.available_ratio, ""),
        ("P(short)", known.short_ratio, f"of this fleet: {words.SHORT}"),
        ("P(no fleet holds the limits)", known.unreachable_ratio, ""),
    )
    rows = [row(name, words.percent(ratio, digits=1), of) for name, ratio, of in shares if ratio is not None]
    rows.append(row("least regret", f"{known.least_regret:.2f} × this fleet", least))
    yield Section(
        title="How sure",
        sentences=(
            f"{known.draws:,} draws {words.drawn_from(plan)}"
            + (f" (that of {', '.join(known.calibrated)})" if known.calibrated else "")
            + ". The inputs' uncertainty and the model's error are separate; there is no simulation noise, because "
            "nothing is simulated. The age of prices is in no draw; it has its own bar among those of the bill.",
        ),
        tables=(Table.of(("what", "value", "of it"), rows, 2),),
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
    rows = [
        row(
            each.name,
            words.percent(max(0.0, each.first)),
            f"{words.percent(each.total)} ± {each.total_error * 100:.0f}",
        )
        for each in output.sobol
    ]
    table = Table.of(("input", "alone", "with all interactions"), rows, caption="Sobol indices: share of variance")
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
                data=csv_text(
                    ("input", "low", "high"), ((b.name, f"{b.low:.6g}", f"{b.high:.6g}") for b in output.tornado)
                ),
            ),
        ),
    )
