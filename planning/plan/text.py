"""A plan on the terminal: the sentence first, then what it rests on, in 80 columns of whole and plain lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

import click

from planning.plan import words
from planning.plan.answer import Plan
from planning.plan.certainty.uncertainty import Output, Uncertainty
from planning.plan.demand.workload import Moment
from planning.plan.sizing.availability import MONTH_MINUTES
from planning.plan.sizing.size import RegionPlan
from present import figures

WIDTH: Final = 80
_MARKS: Final = {True: "✓", False: "✗"}
_NAME: Final = 13
#: Regions that get a column of their own.
_COLUMNS_MAX: Final = 3
_LABEL: Final = 7


def render(plan: Plan, *, show_all: bool = False, took_seconds: float | None = None, path: str = "") -> str:
    """The whole as text for `click.echo`."""
    blocks = [
        _head(plan, took_seconds),
        *_limits(plan),
        *_counts(plan, show_all=show_all),
        *_knees(plan),
        *_delivery(plan),
        *_cost(plan),
        *_paid(plan),
        *_margins(plan),
        *_sure(plan),
        *_excuses(plan, show_all=show_all),
        "",
        *(_facts(plan, show_all=show_all)),
    ]
    code = f"exit {0 if plan.held else 99}"
    follow = f"report  {path}" if path else "next    windtunnel plan SCENARIO --out plan.html"
    blocks += ["", follow + code.rjust(max(len(code) + 2, WIDTH - len(follow)))]
    return "\n".join(blocks)


def _head(plan: Plan, took_seconds: float | None) -> str:
    left = f"windtunnel plan {plan.brief.scenario.name}"
    took = "" if took_seconds is None else f"   {took_seconds:.1f}s"
    right = f"prices {plan.bill.prices}   {words.terms(plan)}{took}"
    room = WIDTH - len(left) - len(right)
    line = f"{left}{' ' * room}{right}" if room >= 2 else f"{left}\n{right.rjust(WIDTH)}"
    sentence = words.sentence(plan)
    sure = words.certainty(plan)
    text = textwrap.fill(
        f"{sentence}{f'. {sure}' if sure else ''}", WIDTH - 2, subsequent_indent="  ", break_on_hyphens=False
    )
    good = plan.held
    styled = f"{_MARKS[good]} {text}"
    return f"{line}\n{styled if good else click.style(styled, fg='bright_magenta', bold=True)}"


def _limits(plan: Plan) -> Iterator[str]:
    yield ""
    yield f"{'LIMITS':<26}{'limit':>10}{'now':>10}{'peak':>10}{'worst':>10}{'budget':>10}"
    for each in sorted(plan.outlook.percentiles, key=lambda one: -one.burn(Moment.LOST)):
        cells = "".join(f"{words.latency(each.seconds[moment]):>10}" for moment in Moment)
        limit = figures.limit_of(each.limit.seconds, "seconds")
        name = f"{_MARKS[each.held]} {words.limit_name(each)}"
        yield _marked(f"{name:<26}{limit:>10}{cells}{_share(each.burn(Moment.LOST)):>10}", each.held)
    known = plan.availability
    name = f"{_MARKS[known.held]} availability"
    asked = words.nines(known.asked_ratio)
    yield _marked(f"{name:<26}{asked:>10}{'':>20}{words.nines(known.ratio):>10}{_share(known.burn):>10}", known.held)
    if plan.nothing_left:
        for line in textwrap.wrap(f"{_MARKS[False]} {words.nothing_left(plan)}", WIDTH, subsequent_indent="  "):
            yield _marked(line, held=False)
    yield from _wrapped(
        "", f"worst: {words.worst(plan)}. Budget: share of it that is spent, of machines and regions alone."
    )


def _counts(plan: Plan, *, show_all: bool) -> Iterator[str]:
    regions = plan.regions
    shown = regions if len(regions) <= _COLUMNS_MAX else ()
    yield ""
    head = "".join(f"{region.name[:9]:>10}" for region in shown) + (f"{'all':>10}" if len(regions) != 1 else "")
    yield f"{'COUNTS':<{_NAME}}{head}   binds, in the largest region"
    largest = _largest(plan)
    for name, tier in largest.tiers.items():
        cells = "".join(f"{region.tiers[name].instances:>10,}" for region in shown)
        cells += f"{plan.count(name):>10,}" if len(regions) != 1 else ""
        copies = f" ×{tier.copies} copies" if tier.copies > 1 else ""
        line = f"{name:<{_NAME}}{cells}   {tier.binds.resource}: {tier.binds.says}"
        yield from _fitted(line, f"{name:<{_NAME}}{cells}   {tier.binds.resource}", copies)
        for need in tier.needs[1:] if show_all else ():
            yield from _wrapped(" " * _NAME, f"{need.resource} asks for {need.count:,}: {need.says}", hang=_NAME + 2)
    yield from _wrapped("", words.machines(plan))


def _knees(plan: Plan) -> Iterator[str]:
    yield ""
    head = "".join(f"{each:>7}" for each in ("now", "peak", "worst", "knee"))
    yield f"{'FIRST TO GIVE WAY':<20}{head}{'headroom: now':>15}{'peak':>8}{'worst':>8}"
    for each in plan.outlook.tiers:
        busy = "".join(f"{words.percent(each.utilisation[moment]):>7}" for moment in Moment)
        room = [words.headroom(each.headroom[moment]) for moment in Moment]
        name = f"{each.name} {'' if each.binds == 'CPU' else each.binds}".strip()
        cells = f"{busy}{words.percent(each.knee_utilisation):>7}{room[0]:>15}{room[1]:>8}{room[2]:>8}"
        yield from _fitted(f"{name:<20}{cells}", f"{name}\n{'':<20}{cells}")
    yield from _wrapped(
        "",
        f"{words.knee(plan)}. Busy: share of its cores; knee: where a limit is missed or nothing is left, if this load "
        "alone grows.",
    )


def _delivery(plan: Plan) -> Iterator[str]:
    yield ""
    head = f"{'edge sends':>14}{'images/s':>13}{'edge holds':>13}{'shield holds':>14}{'origin sends':>13}"
    yield f"{'CDN':<{_NAME}}{head}"
    for region in plan.regions:
        edge, shield = plan.caches.edge[region.name], plan.caches.shield[region.name]
        yield (
            f"{region.name:<{_NAME}}{words.bits(edge.bytes_per_second):>14}{_count(edge.requests_per_second):>13}"
            f"{words.size(edge.bytes_held):>13}{words.size(shield.bytes_held):>14}"
            f"{words.bits(plan.caches.origin_bytes_per_second[region.name]):>13}"
        )


def _cost(plan: Plan) -> Iterator[str]:
    bill, spent = plan.bill, plan.spending
    parts = sorted(bill.by_component().items(), key=lambda each: -each[1])
    yield ""
    first, last = (words.money(each.total_dollars_month) for each in (spent.first, spent.last))
    head = f"COST a month, mean of {spent.months}"
    yield f"{head:<30}{words.money(bill.total_dollars_month):>12}   first {first}, last {last}"
    aged = f"{words.percent(plan.aged.moves_year_ratio)} a year assumed, {plan.aged.mean_years:.1f} y old"
    line = f"  {'by the age of prices':<22}{words.by_age(plan):>18}   {aged}"
    yield line
    large = [each for each in parts if each[1] >= 0.005 * bill.total_dollars_month]
    for name, dollars in large:
        yield f"  {name:<28}{words.money(dollars):>12}{words.percent(dollars / bill.total_dollars_month):>7}"
    rest = sum(dollars for _, dollars in parts) - sum(dollars for _, dollars in large)
    if rest:
        share = words.percent(rest / bill.total_dollars_month, digits=1)
        yield f"  {'… all others':<28}{words.money(rest):>12}{share:>7}"
    each = bill.dollars_per_million_requests
    yield from _wrapped(
        "",
        f"{words.money(each or 0.0)} per million requests, images among them; "
        f"{figures.dollars(bill.dollars_per_user_month)} per user and month",
    )


def _paid(plan: Plan) -> Iterator[str]:
    if not plan.paid:
        return
    yield ""
    yield "PAID OTHERWISE, a month"
    for each in plan.paid:
        name = words.term(each.term)
        if each.dollars_month is None:
            yield from _wrapped("  ", f"{name}: no such bill; {each.says}", hang=4)
            continue
        remarks = ["this plan"] if each.planned else []
        remarks += [part for part in (words.owed(each), words.spared(each, plan)) if part]
        line = f"  {name:<28}{words.money(each.dollars_month):>12}"
        yield from _fitted(
            f"{line}   {'; '.join(remarks)}".rstrip(),
            "\n".join([line, *_wrapped("      ", "; ".join(remarks), hang=6)]),
        )


def _margins(plan: Plan) -> Iterator[str]:
    if not plan.margins:
        return
    yield ""
    yield "WHAT A LITTLE MORE COSTS, a month"
    for each in plan.margins:
        if each.dollars_month is None:
            yield from _wrapped("  ", f"{each.name}: not to be had; {each.says}", hang=4)
            continue
        sign = "+" if each.dollars_month > 0 else ""
        line = f"  {each.name:<28}{sign + words.money(each.dollars_month):>12}"
        yield from _fitted(f"{line}   {each.says}".rstrip(), f"{line}\n  {'':<4}{each.says}")


def _sure(plan: Plan) -> Iterator[str]:
    known = plan.uncertainty
    if known is None:
        return
    low, high = known.met_model
    yield ""
    yield f"HOW SURE, over {known.draws:,} draws of the intent's ranges; 5, 50 and 95 %"
    error = f"{words.percent(low)} – {words.percent(high)} by its own error"
    yield f"  {'P(limits hold)':<28}{words.percent(known.met_ratio):>12}   {error}"
    if known.available_ratio is not None:
        yield f"  {'P(availability holds)':<28}{words.percent(known.available_ratio):>12}"
    yield f"  {'P(short)':<28}{words.percent(known.short_ratio):>12}   of this fleet"
    yield from _regret(known)
    for output in known.outputs:
        yield from _output(output)
    yield from _wrapped("", f"Short: {words.SHORT}.")


def _regret(known: Uncertainty) -> Iterator[str]:
    if known.unreachable_ratio:
        yield f"  {'P(no fleet holds them)':<28}{words.percent(known.unreachable_ratio, digits=1):>12}"
    least = f"{known.least_regret:.2f} × this fleet"
    yield (
        f"  {'least regret':<28}{words.money(known.least_regret_dollars):>12}   {least}, short in "
        f"{words.percent(known.least_regret_short)}"
    )


def _output(output: Output) -> Iterator[str]:
    middle = " – ".join(words.amount(output.quantiles[level], output.unit) for level in (0.05, 0.5, 0.95))
    name = words.output(output)
    moved = ", ".join(
        f"{each.name} {words.percent(max(0.0, each.total))}" for each in output.sobol[:3] if each.total > 0.005
    )
    yield f"  {name:<28}{middle}"
    if moved:
        yield f"  {'':<28}moved by {moved}"


def _excuses(plan: Plan, *, show_all: bool) -> Iterator[str]:
    if not plan.excuses:
        return
    shown = plan.excuses if show_all else [each for each in plan.excuses if each.tier == "services"][:3]
    yield ""
    yield "NOT TAKEN"
    for each in shown:
        yield from _wrapped("  ", f"{each.tier} on {each.price_id}: {each.reason}", hang=4)
    if len(shown) < len(plan.excuses):
        yield f"  … {len(plan.excuses) - len(shown)} more (--all)"


def _facts(plan: Plan, *, show_all: bool) -> Iterable[str]:
    causes = plan.availability.causes if show_all else plan.availability.causes[:2]
    minutes = words.amount(plan.availability.budget_minutes_month, "minutes")
    for place, cause in enumerate(causes):
        spent = words.amount(cause.ratio * MONTH_MINUTES, "minutes")
        yield from _wrapped(
            "DOWN" if not place else "",
            f"{spent} of {minutes} a month: {cause.name} ({cause.says})",
        )
    for place, note in enumerate(plan.notes):
        yield from _wrapped("NOTE" if not place else "", note)


def _largest(plan: Plan) -> RegionPlan:
    return next(region for region in plan.regions if region.name == plan.outlook.region)


def _count(value: float) -> str:
    return f"{figures.rounded(value / 1e6)} M" if value >= 1e6 else f"{value:,.0f}"


def _share(ratio: float) -> str:
    return words.percent(ratio, digits=0 if ratio >= 0.0995 else 1) if ratio < 9.995 else f"×{ratio:,.0f}"


def _marked(line: str, held: bool) -> str:
    return line if held else click.style(line, fg="bright_magenta", bold=True)


def _fitted(line: str, short: str, more: str = "") -> Iterator[str]:
    """The first of these that is no wider than the page."""
    for text in (line + more, line):
        if len(text) <= WIDTH:
            yield text
            return
    yield short


def _wrapped(label: str, text: str, *, hang: int = _LABEL) -> Iterator[str]:
    first = f"{label:<{_LABEL}}" if hang == _LABEL else label
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )
    yield from lines
