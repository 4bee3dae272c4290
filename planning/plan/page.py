"""A plan as a page: the terminal's content with every candidate and cause, and charts."""

from __future__ import annotations

from planning.plan import certainty_page as certainty
from planning.plan import words
from planning.plan.answer import Plan
from planning.plan.certainty.outlook import LoadCurve
from planning.plan.demand.workload import Moment
from planning.plan.queueing.latency import ERROR_RATIO
from planning.plan.sizing.availability import MONTH_MINUTES
from present import charts, figures
from present.charts import plans
from present.charts.plans import NARROW, WIDE
from present.parts import LISTING_MAX, Listing, Mark, PageFigure, Report, Section, Table, csv_text, row


def content(plan: Plan, scenario_text: str) -> Report:
    brief = plan.brief
    sections = [
        _limits(plan),
        _counts(plan),
        _present(plan),
        _knees(plan),
        _cost(plan),
        _paid(plan),
        _margins(plan),
        *certainty.sections(plan),
        _availability(plan),
        _excuses(plan),
        Section(title="Notes on these figures", sentences=(*plan.notes, *plan.bill.assumptions)),
        Section(title="Scenario", listings=(Listing(title="as it was planned", text=scenario_text[:LISTING_MAX]),)),
    ]
    return Report(
        title=f"{brief.scenario.name}: plan",
        sentence=words.headline(plan),
        good=plan.held and not words.often_short(plan),
        caption=f"prices {plan.bill.prices} · {words.terms(plan)} · calibration {brief.profile.id}",
        says=brief.scenario.description,
        sections=tuple(each for each in sections if each is not None),
    )


def _limits(plan: Plan) -> Section:
    rows = [
        row(
            f"{'✓' if each.held else '✗'} {each.limit.text}",
            figures.limit_of(each.limit.seconds, "seconds"),
            words.latency(each.seconds[Moment.NOW]),
            words.latency(each.seconds[Moment.PEAK]),
            words.with_error(each.seconds[Moment.LOST]),
            words.percent(each.burn(Moment.LOST), digits=1),
            mark=_mark(each.held),
        )
        for each in sorted(plan.outlook.percentiles, key=lambda one: -one.burn(Moment.LOST))
    ]
    known = plan.availability
    asked, expected = words.nines(known.asked_ratio), words.nines(known.ratio)
    name = f"{'✓' if known.held else '✗'} availability"
    burn = words.percent(known.burn, digits=1)
    rows.append(row(name, asked, figures.MISSING, figures.MISSING, expected, burn, mark=_mark(known.held)))
    return Section(
        title="Limits",
        sentences=(
            f"The worst hour is {words.worst(plan)}. In brackets: the error of the closed forms.",
            *([f"{words.sentence_case(words.nothing_left(plan))}."] if plan.nothing_left else []),
        ),
        tables=(Table.of(("limit of", "limit", "now", "peak", "worst hour", "budget spent"), rows),),
        figures=tuple(_curve(plan, curve) for curve in plan.outlook.curves),
    )


def _mark(held: bool) -> Mark:
    return "" if held else "missed"


def _curve(plan: Plan, curve: LoadCurve) -> PageFigure:
    brief, region = plan.brief, plan.outlook.region
    worst = brief.workload.factor(region, Moment.LOST)
    loads = {words.MOMENTS[moment]: brief.workload.factor(region, moment) / worst for moment in Moment}
    name = curve.limit.text
    owner, why = words.whose_knee(plan)
    own = owner == name
    whose = "" if own else f" The knee is that of {owner}, {why} there."
    points = list(zip(curve.load, curve.seconds, strict=True))

    def drawn(width: int, height: int) -> str:
        chart = plans.load_curve(
            points,
            name=name,
            limit_seconds=curve.limit.seconds,
            limit_name=figures.limit_of(curve.limit.seconds, "seconds"),
            loads=loads,
            knee=plan.outlook.knee,
            knee_name="knee" if own else f"knee of {owner}",
            error_ratio=ERROR_RATIO,
            palette=charts.CSS,
            width=width,
            height=height,
        )
        return charts.svg(chart)

    return PageFigure(
        caption=f"{name} over load in {region}, what works in the worst hour; band: the closed forms' error.{whose}",
        alt=f"{name} over load; the fleet's knee is at {plan.outlook.knee:.2f} times the worst hour's load.{whose}",
        wide=drawn(WIDE, 220),
        narrow=drawn(NARROW, 200),
        data=csv_text(("load", "seconds"), ((f"{load:.4f}", f"{seconds:.6g}") for load, seconds in points)),
    )


def _counts(plan: Plan) -> Section:
    names = [region.name for region in plan.regions]
    largest = plan.largest
    rows = []
    for name, tier in largest.tiers.items():
        counts = [f"{region.tiers[name].instances:,}" for region in plan.regions]
        binds = f"{tier.binds.resource}: {tier.binds.says}"
        rows.append(row(name, *counts, f"{tier.working:,}", str(tier.copies), tier.shape.price_id, binds))
    needs = [
        row(name, need.resource, f"{need.count:,}", need.says)
        for name, tier in largest.tiers.items()
        for need in tier.needs
    ]
    head = ("tier", *names, "working", "copies", "on", "binds")
    machines = [
        row(
            region.name,
            words.term(pool.term),
            pool.shape.price_id,
            f"{pool.machines:,}",
            f"{pool.working:,}",
            words.money(pool.machines * pool.shape.dollars_month),
        )
        for region in plan.regions
        for pool in region.pools
    ]
    cdn = []
    for region in plan.regions:
        edge, shield = plan.caches.edge[region.name], plan.caches.shield[region.name]
        origin = plan.caches.origin_bytes_per_second[region.name]
        cdn.append(
            row(
                region.name,
                words.bits(edge.bytes_per_second),
                f"{edge.requests_per_second:,.0f}/s",
                f"{words.size(edge.bytes_held)} for {words.percent(edge.hit_ratio)}",
                f"{words.size(shield.bytes_held)} for {words.percent(shield.hit_ratio)}",
                words.bits(origin),
            )
        )
    return Section(
        title="Counts",
        sentences=(
            f"{words.sentence_case(words.machines(plan))}.",
            "Working: what the largest region needs in the worst hour; the rest is spare.",
        ),
        tables=(
            Table.of(head, rows, len(head) - 2, len(head) - 1),
            Table.of(
                ("tier", "resource", "asks for", "of what"),
                needs,
                1,
                3,
                caption="what each resource needs in the largest region",
                folded=True,
            ),
            Table.of(
                ("region", "services' machines are paid", "on", "machines", "of them needed", "a month"), machines, 1, 2
            ),
            Table.of(
                ("region", "edge sends", "images", "edge holds", "shield holds", "origin sends"),
                cdn,
                caption="CDN in the worst hour; sizes by Che's approximation for the hit ratios asked.",
            ),
        ),
    )


def _present(plan: Plan) -> Section | None:
    if plan.present is None:
        return None
    rows = [row(*cells) for cells in words.compared(plan)]
    return Section(
        title="Compared with today",
        sentences=(f"{words.sentence_case(words.todays_fleet(plan))}.",),
        tables=(Table.of(("tier, in the largest region", "instances today", "planned", "change"), rows),),
    )


def _knees(plan: Plan) -> Section:
    rows = [row(each.name, each.binds, *words.utilisations(each)) for each in plan.outlook.tiers]
    head = ("tier", "what gives way", "busy now", "peak", "worst", "knee", "headroom now", "at peak", "at worst")
    return Section(
        title="First to give way",
        sentences=(f"{words.sentence_case(words.bottleneck(plan))}.", f"{words.knee(plan)}."),
        tables=(Table.of(head, rows, 1),),
    )


def _cost(plan: Plan) -> Section:
    bill, spent = plan.bill, plan.spending
    parts = sorted(bill.by_component().items(), key=lambda each: -each[1])
    rows = [
        row(name, words.money(dollars), words.percent(dollars / bill.total_dollars_month, digits=1))
        for name, dollars in parts
    ]
    items = [
        row(each.component, each.price_id, f"{each.quantity:,.4g}", each.unit, words.money(each.dollars_month))
        for each in bill.items
        if each.dollars_month
    ]
    shown = [each for each in parts if each[1] > 0]

    def drawn(width: int) -> str:
        return charts.svg(plans.cost_dots(shown, palette=charts.CSS, width=width))

    figure = PageFigure(
        caption="Dollars a month by component, logarithmic.",
        alt=", ".join(f"{name} {words.money(dollars)}" for name, dollars in shown) + ".",
        wide=drawn(WIDE - 60),
        narrow=drawn(NARROW - 40),
        data=csv_text(("component", "dollars_month"), ((name, f"{dollars:.2f}") for name, dollars in shown)),
    )
    first, last = (words.money(each.total_dollars_month) for each in (spent.first, spent.last))
    return Section(
        title="Cost",
        sentences=(
            f"{words.money(bill.total_dollars_month)} a month in the mean of {spent.months}; the first {first}, the "
            f"last {last}.",
            f"{words.unit_costs(plan)}.",
            f"{words.by_age(plan)} by the age of its prices: they are of {plan.aged.oldest} to {plan.aged.newest}, and "
            f"each is assumed to have moved by up to {words.percent(plan.aged.moves_year_ratio)} a year since, all in "
            "the same direction.",
        ),
        tables=(
            Table.of(("component", "a month", "share"), rows),
            Table.of(
                ("component", "price", "quantity a month", "unit", "dollars"),
                items,
                1,
                3,
                caption="every line",
                folded=True,
            ),
        ),
        figures=(figure,),
    )


def _paid(plan: Plan) -> Section | None:
    if not plan.paid:
        return None
    rows = (row(words.term(each.term), *words.paid(each, plan)) for each in plan.paid)
    return Section(
        title="Paid otherwise",
        sentences=("The fleet planned again with one term for all machines; stores are never on spot.",),
        tables=(Table.of(("machines are paid", "the bill a month", "of it"), rows, 2),),
    )


def _margins(plan: Plan) -> Section | None:
    if not plan.margins:
        return None
    rows = []
    for each in plan.margins:
        dollars = figures.MISSING if each.dollars_month is None else words.money(each.dollars_month)
        rows.append(row(each.name, dollars, each.says))
    return Section(
        title="What a little more costs",
        tables=(Table.of(("more of", "dollars a month", "how"), rows, 2),),
    )


def _availability(plan: Plan) -> Section:
    known = plan.availability
    rows = (row(cause.name, words.amount(cause.ratio * MONTH_MINUTES, "minutes"), cause.says) for cause in known.causes)
    return Section(
        title="Availability and its budget",
        sentences=(
            f"{words.nines(known.ratio)} expected of machines and regions, {words.nines(known.asked_ratio)} asked: "
            f"{words.percent(known.burn, digits=1)} of the {known.budget_minutes_month:.3g} minutes a month are spent. "
            "Bad releases, operators and software are not included, and in most services they are the larger part.",
        ),
        tables=(Table.of(("cause", "a month", "how"), rows, 2),),
    )


def _excuses(plan: Plan) -> Section | None:
    if not plan.excuses:
        return None
    rows = (
        row(each.tier, each.price_id, figures.MISSING if each.ratio is None else f"{each.ratio:.2f}", each.reason)
        for each in plan.excuses
    )
    return Section(
        title="Not taken", tables=(Table.of(("tier", "candidate", "cost over the one taken", "why not"), rows, 1, 3),)
    )
