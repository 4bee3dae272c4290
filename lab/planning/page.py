"""A plan as a page: what the terminal tells, with every candidate and cause, and the charts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from lab import charts, figures
from lab.charts import plans
from lab.errors import UserError
from lab.planning import words
from lab.report import markdown, page
from lab.report.parts import LISTING_MAX, Figure, Listing, Mark, Report, Row, Section, Table
from sim.planner.latency import ERROR_RATIO
from sim.planner.outlook import Curve
from sim.planner.plan import Plan
from sim.planner.uncertainty import Output
from sim.planner.workload import Moment

FORMS: Final = {".html": page.render, ".md": markdown.render}
_WIDE: Final = 540
_NARROW: Final = 240


def write(plan: Plan, path: Path, scenario_text: str) -> None:
    """Write the page; its name says in which form. Raises UserError."""
    form = FORMS.get(path.suffix)
    if form is None:
        raise UserError(f"{path}: expected a name that ends in {' or '.join(FORMS)}")
    try:
        path.write_text(form(content(plan, scenario_text)), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; choose another --out") from error


def content(plan: Plan, scenario_text: str) -> Report:
    """What the page tells."""
    brief = plan.brief
    sections = [
        _limits(plan),
        _counts(plan),
        _knees(plan),
        _cost(plan),
        _margins(plan),
        *_sure(plan),
        _availability(plan),
        _excuses(plan),
        Section(title="What to know of these figures", sentences=(*plan.notes, *plan.bill.assumptions)),
        Section(title="Scenario", listings=(Listing(title="as it was planned", text=scenario_text[:LISTING_MAX]),)),
    ]
    sure = words.certainty(plan)
    return Report(
        title=f"{brief.scenario.name}: plan",
        sentence=f"{words.sentence(plan)}{f'. {sure}' if sure else ''}",
        good=plan.held,
        caption=f"prices {plan.bill.prices} · {brief.intent.term.replace('_', ' ')} · calibration {brief.profile.id}",
        says=brief.scenario.says,
        sections=tuple(each for each in sections if each is not None),
    )


def _limits(plan: Plan) -> Section:
    rows = []
    for each in sorted(plan.outlook.percentiles, key=lambda one: -one.burn(Moment.LOST)):
        told = (words.latency(each.seconds[Moment.NOW]), words.latency(each.seconds[Moment.PEAK]))
        name = f"{'✓' if each.held else '✗'} {words.limit_name(each)}"
        cells = (
            name,
            figures.limit_of(each.limit.seconds, "seconds"),
            *told,
            words.with_error(each.seconds[Moment.LOST]),
            words.percent(each.burn(Moment.LOST), digits=1),
        )
        rows.append(Row(cells=cells, mark=_mark(each.held)))
    known = plan.availability
    asked, expected = words.nines(known.asked_ratio), words.nines(known.ratio)
    name = f"{'✓' if known.held else '✗'} availability"
    cells = (name, asked, figures.MISSING, figures.MISSING, expected, words.percent(known.burn, digits=1))
    rows.append(Row(cells=cells, mark=_mark(known.held)))
    return Section(
        title="Limits",
        sentences=(f"The worst hour is {words.worst(plan)}. In brackets: the closed forms' own error.",),
        tables=(Table(head=("limit of", "limit", "now", "peak", "worst hour", "budget spent"), rows=tuple(rows)),),
        figures=tuple(_curve(plan, curve) for curve in plan.outlook.curves),
    )


def _mark(held: bool) -> Mark:
    return "" if held else "missed"


def _curve(plan: Plan, curve: Curve) -> Figure:
    brief, region = plan.brief, plan.outlook.region
    worst = brief.workload.factor(region, Moment.LOST)
    loads = {words.MOMENTS[moment]: brief.workload.factor(region, moment) / worst for moment in Moment}
    name = f"{curve.limit.name} p{curve.limit.level * 100:g}"
    points = list(zip(curve.load, curve.seconds, strict=True))

    def drawn(width: int, height: int) -> str:
        chart = plans.load_curve(
            points,
            name=name,
            limit_seconds=curve.limit.seconds,
            limit_name=figures.limit_of(curve.limit.seconds, "seconds"),
            loads=loads,
            knee=plan.outlook.knee,
            error_ratio=ERROR_RATIO,
            palette=charts.CSS,
            width=width,
            height=height,
        )
        return charts.svg(chart)

    return Figure(
        caption=f"{name} over load in {region}, what works in the worst hour; band: the closed forms' error.",
        alt=f"{name} reaches its limit at {plan.outlook.knee:.2f} times the worst hour's load at the latest.",
        wide=drawn(_WIDE, 220),
        narrow=drawn(_NARROW, 200),
        data=_csv(("load", "seconds"), ((f"{load:.4f}", f"{seconds:.6g}") for load, seconds in points)),
    )


def _counts(plan: Plan) -> Section:
    names = [region.name for region in plan.regions]
    largest = next(region for region in plan.regions if region.name == plan.outlook.region)
    rows = []
    for name, tier in largest.tiers.items():
        counts = [f"{region.tiers[name].instances:,}" for region in plan.regions]
        needs = "; ".join(f"{need.resource} {need.count:,} ({need.says})" for need in tier.needs)
        rows.append(Row(cells=(name, *counts, f"{tier.working:,}", str(tier.copies), tier.shape.price_id, needs)))
    head = ("tier", *names, "working", "copies", "on", "what each resource asks for, the one that binds first")
    texts = frozenset({0, len(head) - 2, len(head) - 1})
    machines = [
        Row(
            cells=(
                region.name,
                f"{region.pool.machines:,}",
                f"{region.pool.working:,}",
                f"{region.partitions:,}",
                words.money(region.dollars_month),
            )
        )
        for region in plan.regions
    ]
    cdn = []
    for region in plan.regions:
        edge, shield = plan.caches.edge[region.name], plan.caches.shield[region.name]
        origin = plan.caches.origin_bytes_per_second[region.name]
        cdn.append(
            Row(
                cells=(
                    region.name,
                    words.bits(edge.bytes_per_second),
                    f"{edge.requests_per_second:,.0f}/s",
                    f"{words.size(edge.bytes_held)} for {words.percent(edge.hit_ratio)}",
                    f"{words.size(shield.bytes_held)} for {words.percent(shield.hit_ratio)}",
                    words.bits(origin),
                )
            )
        )
    return Section(
        title="Counts",
        sentences=("Working: what the largest region needs in the worst hour; the rest is spare.",),
        tables=(
            Table(head=head, rows=tuple(rows), texts=texts),
            Table(
                head=("region", "machines of the services", "of them needed", "partitions a topic", "machines a month"),
                rows=tuple(machines),
            ),
            Table(
                head=("region", "edge sends", "images", "edge holds", "shield holds", "origin sends"),
                rows=tuple(cdn),
                caption="CDN in the worst hour; sizes by Che's approximation for the hit ratios asked.",
            ),
        ),
    )


def _knees(plan: Plan) -> Section:
    rows = [
        Row(
            cells=(
                each.name,
                each.binds,
                *(words.percent(each.utilisation[moment]) for moment in Moment),
                words.percent(each.knee_utilisation),
                *(words.headroom(each.headroom[moment]) for moment in Moment),
            )
        )
        for each in plan.outlook.tiers
    ]
    head = ("tier", "what gives way", "busy now", "peak", "worst", "knee", "headroom now", "at peak", "at worst")
    return Section(
        title="First to give way",
        sentences=(
            f"{words.bottleneck(plan).capitalize()}.",
            f"The whole fleet of {plan.outlook.region} takes {plan.outlook.knee:.2f} times the worst hour's load.",
        ),
        tables=(Table(head=head, rows=tuple(rows), texts=frozenset({0, 1})),),
    )


def _cost(plan: Plan) -> Section:
    bill, spent = plan.bill, plan.spending
    parts = sorted(bill.by_component().items(), key=lambda each: -each[1])
    rows = [
        Row(cells=(name, words.money(dollars), words.percent(dollars / bill.total_dollars_month, digits=1)))
        for name, dollars in parts
    ]
    items = [
        Row(
            cells=(each.component, each.price_id, f"{each.quantity:,.4g}", each.unit, words.money(each.dollars_month)),
        )
        for each in bill.items
        if each.dollars_month
    ]
    shown = [each for each in parts if each[1] > 0]

    def drawn(width: int) -> str:
        return charts.svg(plans.cost_bars(shown, palette=charts.CSS, width=width))

    figure = Figure(
        caption="Dollars a month by component, logarithmic.",
        alt=", ".join(f"{name} {words.money(dollars)}" for name, dollars in shown) + ".",
        wide=drawn(_WIDE - 60),
        narrow=drawn(_NARROW - 40),
        data=_csv(("component", "dollars_month"), ((name, f"{dollars:.2f}") for name, dollars in shown)),
    )
    per_million = bill.dollars_per_million_requests or 0.0
    first, last = (words.money(each.total_dollars_month) for each in (spent.first, spent.last))
    return Section(
        title="Cost",
        sentences=(
            f"{words.money(bill.total_dollars_month)} a month in the mean of {spent.months}; the first {first}, the "
            f"last {last}.",
            f"{words.money(per_million)} per million requests, images among them; "
            f"{figures.dollars(bill.dollars_per_user_month)} per user and month.",
        ),
        tables=(
            Table(head=("component", "a month", "share"), rows=tuple(rows)),
            Table(
                head=("component", "price", "quantity a month", "unit", "dollars"),
                rows=tuple(items),
                texts=frozenset({0, 1, 3}),
                caption="every line",
                folded=True,
            ),
        ),
        figures=(figure,),
    )


def _margins(plan: Plan) -> Section | None:
    if not plan.margins:
        return None
    rows = []
    for each in plan.margins:
        dollars = figures.MISSING if each.dollars_month is None else words.money(each.dollars_month)
        rows.append(Row(cells=(each.name, dollars, each.says)))
    return Section(
        title="What a little more costs",
        tables=(Table(head=("more of", "dollars a month", "how"), rows=tuple(rows), texts=frozenset({0, 2})),),
    )


def _sure(plan: Plan) -> Iterable[Section]:
    known = plan.uncertainty
    if known is None:
        return
    low, high = known.met_model
    rows = (
        Row(cells=("P(limits hold in the worst hour)", words.percent(known.met_ratio, digits=1),
                   f"±{known.met_error * 100:.1f} % by the number of worlds; {words.percent(low)} to "
                   f"{words.percent(high)} with every latency by the closed forms' error slower or faster")),
        Row(cells=("P(short)", words.percent(known.short_ratio, digits=1), "of this fleet")),
        Row(cells=("P(no fleet holds the limits)", words.percent(known.unreachable_ratio, digits=1), "")),
        Row(cells=("least regret", f"{known.least_regret:.2f} × this fleet",
                   f"{words.money(known.least_regret_dollars)} a month of machines, short in "
                   f"{words.percent(known.least_regret_short)}, if a dollar missing is regretted as {known.regret:g}")),
    )  # fmt: skip
    yield Section(
        title="How sure",
        sentences=(
            f"{known.worlds:,} worlds drawn from the intent's ranges. The inputs' uncertainty and the model's error "
            "are told apart; there is no noise of simulation, for nothing is simulated.",
        ),
        tables=(Table(head=("what", "value", "of it"), rows=rows, texts=frozenset({0, 2})),),
    )
    for output in known.outputs:
        yield _output(output)


def _output(output: Output) -> Section:
    name = "Bill a month" if output.name == "bill" else output.name
    log = output.unit == "seconds"

    def told(value: float) -> str:
        return words.late(value) if log else words.money(value)

    scale = 1e3 if log else 1.0
    bars = [(bar.name, bar.low * scale, bar.high * scale) for bar in output.tornado]

    def drawn(width: int) -> str:
        chart = plans.tornado(bars, middle=output.middle * scale, title=name, log=log, palette=charts.CSS, width=width)
        return charts.svg(chart)

    quantiles = ", ".join(f"{level * 100:g} %: {told(value)}" for level, value in output.quantiles.items())
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
        title=f"What moves {name[0].lower()}{name[1:]}",
        sentences=(f"Quantiles over the worlds: {quantiles}.",),
        tables=(table,) if rows else (),
        figures=(
            Figure(
                caption="Each input at its low and its high end, all others in the middle.",
                alt=", ".join(f"{bar.name} from {told(bar.low)} to {told(bar.high)}" for bar in output.tornado) + ".",
                wide=drawn(_WIDE - 60),
                narrow=drawn(_NARROW - 40),
                data=_csv(
                    ("input", "low", "high"), ((b.name, f"{b.low:.6g}", f"{b.high:.6g}") for b in output.tornado)
                ),
            ),
        ),
    )


def _availability(plan: Plan) -> Section:
    known = plan.availability
    rows = tuple(Row(cells=(cause.name, f"{cause.ratio * 43_800 * 60:,.3g} s", cause.says)) for cause in known.causes)
    return Section(
        title="Availability and its budget",
        sentences=(
            f"{words.nines(known.ratio)} expected of machines and regions, {words.nines(known.asked_ratio)} asked: "
            f"{words.percent(known.burn, digits=1)} of the {known.budget_minutes_month:.3g} minutes a month are spent. "
            "Bad releases, operators and software are not in it, and in most services they are the larger part.",
        ),
        tables=(Table(head=("cause", "a month", "how"), rows=rows, texts=frozenset({0, 2})),),
    )


def _excuses(plan: Plan) -> Section | None:
    if not plan.excuses:
        return None
    rows = tuple(
        Row(
            cells=(
                each.tier,
                each.price_id,
                figures.MISSING if each.ratio is None else f"{each.ratio:.2f}",
                each.reason,
            )
        )
        for each in plan.excuses
    )
    head = ("tier", "candidate", "cost over the one taken", "why not")
    return Section(title="Not taken", tables=(Table(head=head, rows=rows, texts=frozenset({0, 1, 3})),))


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()
