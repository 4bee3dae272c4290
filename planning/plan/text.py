"""A plan on the terminal: the sentence first, then the figures behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from planning.plan import words
from planning.plan.answer import Plan
from planning.plan.certainty.uncertainty import Uncertainty
from planning.plan.demand.workload import Moment
from planning.plan.sizing.availability import MONTH_MINUTES
from present import figures
from present.tables import MARKS, closing, ends, labelled, missed, table, verdict, wrapped

#: Up to this many regions have their own columns.
_COLUMNS_MAX: Final = 3


def render(plan: Plan, *, show_all: bool = False, took_seconds: float | None = None, path: str = "") -> str:
    """The plan as text for `click.echo`."""
    took = "" if took_seconds is None else f"   {took_seconds:.1f}s"
    blocks = (
        _limits(plan),
        _counts(plan, show_all=show_all),
        _present(plan),
        _knees(plan),
        _delivery(plan),
        _cost(plan),
        _paid(plan),
        _margins(plan),
        _sure(plan),
        _excuses(plan, show_all=show_all),
        _facts(plan, show_all=show_all),
    )
    lines = [
        ends(f"windtunnel plan {plan.brief.scenario.name}", f"prices {plan.bill.prices}   {words.terms(plan)}{took}"),
        verdict(words.headline(plan), plan.held and not words.often_short(plan)),
    ]
    for block in blocks:
        if found := list(block):
            lines += ["", *found]
    follow = f"report  {path}" if path else "next    windtunnel plan SCENARIO --out plan.html"
    return "\n".join([*lines, "", closing(follow, 0 if plan.held else 99)])


def _limits(plan: Plan) -> Iterator[str]:
    shown = sorted(plan.outlook.percentiles, key=lambda one: -one.burn(Moment.LOST))
    rows = [
        [
            f"{MARKS[each.held]} {each.limit.text}",
            figures.limit_of(each.limit.seconds, "seconds"),
            *(words.latency(each.seconds[moment]) for moment in Moment),
            _share(each.burn(Moment.LOST)),
        ]
        for each in shown
    ]
    known = plan.availability
    name = f"{MARKS[known.held]} availability"
    rows.append([name, words.nines(known.asked_ratio), "", "", words.nines(known.ratio), _share(known.burn)])
    lines, _ = table(["LIMITS", "limit", "now", "peak", "worst", "budget"], rows)
    yield lines[0]
    for line, held in zip(lines[1:], [*(each.held for each in shown), known.held], strict=True):
        yield missed(line, not held)
    if plan.nothing_left:
        yield verdict(words.nothing_left(plan), good=False)
    yield from labelled("", f"worst: {words.worst(plan)}. Budget: the share of it that machines and regions spend.")


def _counts(plan: Plan, *, show_all: bool) -> Iterator[str]:
    shown = plan.regions if len(plan.regions) <= _COLUMNS_MAX else ()
    several = len(plan.regions) != 1
    tiers = plan.largest.tiers
    rows = [
        [
            name,
            *(f"{region.tiers[name].instances:,}" for region in shown),
            *([f"{plan.count(name):,}"] if several else []),
            f"{tier.binds.resource}: {tier.binds.says}{f' ×{tier.copies} copies' if tier.copies > 1 else ''}",
        ]
        for name, tier in tiers.items()
    ]
    head = ["COUNTS", *(region.name for region in shown), *(["all"] if several else []), "binds, in the largest region"]
    lines, _ = table(head, rows, remark=True)
    yield lines[0]
    for line, tier in zip(lines[1:], tiers.values(), strict=True):
        yield line
        for need in tier.needs[1:] if show_all else ():
            text = f"{need.resource} needs {need.count:,}: {need.says}"
            yield from wrapped(text, first=" " * 13, rest=" " * 15)
    yield from labelled("", words.machines(plan))


def _present(plan: Plan) -> Iterator[str]:
    if plan.present is not None:
        yield from table(
            ["TODAY, without copies", "instances", "planned", "change"], [list(each) for each in words.compared(plan)]
        )[0]
        yield from labelled("", f"{words.todays_fleet(plan)}.")


def _knees(plan: Plan) -> Iterator[str]:
    rows = [
        [
            f"{each.name} {'' if each.binds == 'CPU' else each.binds}".strip(),
            *words.utilisations(each),
        ]
        for each in plan.outlook.tiers
    ]
    head = ["FIRST TO GIVE WAY", "now", "peak", "worst", "knee", "headroom: now", "peak", "worst"]
    yield from table(head, rows)[0]
    yield from labelled(
        "",
        f"{words.knee(plan)}. Busy: share of its cores; knee: where a limit is missed or nothing is left, if this load "
        "alone grows.",
    )


def _delivery(plan: Plan) -> Iterator[str]:
    caches = plan.caches
    rows = [
        [
            region.name,
            words.bits(caches.edge[region.name].bytes_per_second),
            _count(caches.edge[region.name].requests_per_second),
            words.size(caches.edge[region.name].bytes_held),
            words.size(caches.shield[region.name].bytes_held),
            words.bits(caches.origin_bytes_per_second[region.name]),
        ]
        for region in plan.regions
    ]
    yield from table(["CDN", "edge sends", "images/s", "edge holds", "shield holds", "origin sends"], rows)[0]


def _cost(plan: Plan) -> Iterator[str]:
    bill, spent = plan.bill, plan.spending
    total = bill.total_dollars_month
    first, last = (words.money(each.total_dollars_month) for each in (spent.first, spent.last))
    aged = f"{words.percent(plan.aged.moves_year_ratio)} a year assumed, {plan.aged.mean_years:.1f} y old"
    rows = [["  by the age of prices", words.by_age(plan), aged]]
    rest = total
    for name, dollars in sorted(bill.by_component().items(), key=lambda each: -each[1]):
        if dollars >= 0.005 * total:
            rows.append([f"  {name}", words.money(dollars), words.percent(dollars / total)])
            rest -= dollars
    if rest > 1e-9 * total:
        rows.append(["  … all others", words.money(rest), words.percent(rest / total, digits=1)])
    head = [f"COST a month, mean of {spent.months}", words.money(total), f"first {first}, last {last}"]
    yield from table(head, rows, remark=True)[0]
    yield from labelled("", words.unit_costs(plan))


def _paid(plan: Plan) -> Iterable[str]:
    rows = []
    for each in plan.paid:
        dollars, remarks = words.paid(each, plan)
        none = "no such bill; " if each.dollars_month is None else ""
        rows.append([f"  {words.term(each.term)}", dollars, none + remarks])
    return table(["PAID OTHERWISE, a month", "", ""], rows, remark=True)[0] if rows else ()


def _margins(plan: Plan) -> Iterable[str]:
    rows = []
    for each in plan.margins:
        if each.dollars_month is None:
            rows.append([f"  {each.name}", figures.MISSING, f"impossible: {each.says}"])
        else:
            sign = "+" if each.dollars_month > 0 else ""
            rows.append([f"  {each.name}", sign + words.money(each.dollars_month), each.says])
    return table(["WHAT A LITTLE MORE COSTS, a month", "", ""], rows, remark=True)[0] if rows else ()


def _sure(plan: Plan) -> Iterator[str]:
    known = plan.uncertainty
    if known is None:
        return
    yield from wrapped(f"HOW SURE, over {known.draws:,} draws {words.drawn_from(plan)}; 5, 50 and 95 %")
    yield from table(("", "", ""), list(_chances(known)), remark=True)[0][1:]
    for output in known.outputs:
        middle = " – ".join(words.amount(output.quantiles[level], output.unit) for level in (0.05, 0.5, 0.95))
        moved = ", ".join(
            f"{each.name} {words.percent(max(0.0, each.total))}" for each in output.sobol[:3] if each.total > 0.005
        )
        yield f"  {words.output(output):<28}{middle}"
        if moved:
            yield f"  {'':<28}of its variance: {moved}"
    if any(output.sobol for output in known.outputs):
        yield from labelled("", "Shares of variance count interactions, so together they may be more than 100 %.")
    if known.calibrated:
        yield from labelled("", f"Ranges by the profile's own error: {', '.join(known.calibrated)}.")
    yield from labelled("", f"Short: {words.SHORT}.")


def _chances(known: Uncertainty) -> Iterator[list[str]]:
    low, high = known.met_model
    error = f"{words.percent(low)} – {words.percent(high)} by its own error"
    yield ["  P(limits hold)", words.percent(known.met_ratio), error]
    if known.available_ratio is not None:
        yield ["  P(availability holds)", words.percent(known.available_ratio), ""]
    yield ["  P(short)", words.percent(known.short_ratio), "of this fleet"]
    if known.unreachable_ratio:
        yield ["  P(no fleet holds them)", words.percent(known.unreachable_ratio, digits=1), ""]
    least = f"{known.least_regret:.2f} × this fleet, short in {words.percent(known.least_regret_short)}"
    yield ["  least regret", words.money(known.least_regret_dollars), least]


def _excuses(plan: Plan, *, show_all: bool) -> Iterator[str]:
    if not plan.excuses:
        return
    shown = plan.excuses if show_all else [each for each in plan.excuses if each.tier == "services"][:3]
    yield "NOT TAKEN"
    for each in shown:
        yield from wrapped(f"{each.tier} on {each.price_id}: {each.reason}", first="  ", rest="    ")
    if len(shown) < len(plan.excuses):
        yield f"  … {len(plan.excuses) - len(shown)} more (--all)"


def _facts(plan: Plan, *, show_all: bool) -> Iterator[str]:
    causes = plan.availability.causes if show_all else plan.availability.causes[:2]
    minutes = words.amount(plan.availability.budget_minutes_month, "minutes")
    for index, cause in enumerate(causes):
        spent = words.amount(cause.ratio * MONTH_MINUTES, "minutes")
        yield from labelled("" if index else "DOWN", f"{spent} of {minutes} a month: {cause.name} ({cause.says})")
    for index, note in enumerate(plan.notes):
        yield from labelled("" if index else "NOTE", note)


def _count(value: float) -> str:
    return f"{figures.rounded(value / 1e6)} M" if value >= 1e6 else f"{value:,.0f}"


def _share(ratio: float) -> str:
    return words.percent(ratio, digits=0 if ratio >= 0.0995 else 1) if ratio < 9.995 else f"×{ratio:,.0f}"
