"""Sentences and figures of a plan as text."""

from __future__ import annotations

import math
from typing import Final

from core.names import Component, Server
from core.operations import FEED_READ
from core.scenario.intent import DEFAULT
from planning.plan.answer import Plan
from planning.plan.brief import ON_DEMAND, SPOT
from planning.plan.certainty.draws import LATEST_SECONDS
from planning.plan.certainty.outlook import LoadCurve, TierOutlook
from planning.plan.certainty.uncertainty import Output
from planning.plan.demand.workload import Moment
from planning.plan.queueing.latency import ERROR_RATIO
from planning.plan.sizing.terms import Paid
from present import figures

#: What each moment is called.
MOMENTS: Final = {Moment.NOW: "now", Moment.PEAK: "peak", Moment.LOST: "worst"}
_MONEY: Final = ((1e9, "B"), (1e6, "M"))
_BYTES: Final = ((2**50, "PiB"), (2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"))


def money(dollars: float) -> str:
    """``$9,470``, ``$5.14 M``, ``$368 M``."""
    sign = figures.MINUS if dollars < 0 else ""
    for size, letter in _MONEY:
        if abs(dollars) >= size * 0.9995:
            return f"{sign}${figures.rounded(abs(dollars) / size)} {letter}"
    return sign + figures.dollars(abs(dollars))


def size(count: float) -> str:
    """``48.2 TiB``."""
    for unit, letters in _BYTES:
        if count >= unit:
            return f"{figures.rounded(count / unit)} {letters}"
    return f"{count:,.0f} B"


def percent(ratio: float, *, digits: int = 0) -> str:
    """``75 %``; ``none`` for a ratio that is not finite."""
    if not math.isfinite(ratio):
        return "none"
    return f"{ratio * 100:.{digits}f} %"


def nines(ratio: float) -> str:
    """Availability with two digits more than it has nines: ``99.9998 %``."""
    if ratio >= 1.0:
        return "100 %"
    digits = max(0, math.floor(-math.log10(1.0 - ratio) + 1e-6) - 1)
    text = f"{math.floor(ratio * 10 ** (digits + 2) + 1e-6) / 10**digits:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def headroom(ratio: float) -> str:
    """``+54 %``; ``none`` if it is full; ``>10 ×`` beyond tenfold."""
    if not math.isfinite(ratio) or ratio > 9.995:
        return ">10 ×"
    if abs(ratio) < 0.005 or ratio <= -0.995:
        return "none"
    return f"{figures.signed(ratio * 100)} %"


def latency(seconds: float) -> str:
    """A latency, or that there is none because the queue grows without end."""
    return figures.duration(seconds) if math.isfinite(seconds) else "never"


def amount(value: float, unit: str) -> str:
    """One value of an output, in its unit."""
    if unit == "dollars":
        return money(value)
    if unit == "minutes":
        seconds = value * 60.0
        if seconds < 0.001:
            return "<1 ms"
        return f"{figures.rounded(value)} min" if value >= 1.0 else f"{figures.rounded(seconds)} s"
    return late(value)


def output(known: Output) -> str:
    """What an output is called."""
    return f"{known.name} a month" if known.unit in ("dollars", "minutes") else known.name


def late(seconds: float) -> str:
    """A latency of a draw; one that no client waits for has no end."""
    return "no end" if seconds >= LATEST_SECONDS * 0.9995 else latency(seconds)


def bits(bytes_per_second: float) -> str:
    """``51.3 Tbit/s``."""
    amount = bytes_per_second * 8.0
    for unit, letters in ((1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s")):
        if amount >= unit:
            return f"{figures.rounded(amount / unit)} {letters}"
    return f"{figures.rounded(amount / 1e3)} kbit/s"


def with_error(seconds: float) -> str:
    """``150 [135–165] ms``: the closed forms' own error."""
    if not math.isfinite(seconds):
        return "without end"
    scale, unit = (1.0, "s") if seconds >= 0.9995 else (1e-3, "ms")
    value, low, high = (
        figures.rounded(each / scale, seconds * ERROR_RATIO / scale)
        for each in (seconds, seconds * (1.0 - ERROR_RATIO), seconds * (1.0 + ERROR_RATIO))
    )
    return f"{value} [{low}–{high}] {unit}"


def worst(plan: Plan) -> str:
    lose, spare = plan.brief.workload.lose_regions, plan.brief.intent.spare
    parts = ["the busiest hour"]
    if plan.brief.intent.growth_ratio:
        parts = [f"the busiest hour in {plan.brief.intent.years:g} y"]
    if lose:
        parts.append(f"{lose} region{'s' if lose > 1 else ''} lost")
    lost = plan.brief.intent.lose_zones
    if lost:
        parts.append(f"{lost} of {plan.brief.intent.zones} zones lost")
    if spare:
        parts.append(f"{'or ' if lost else ''}{spare} of everything down")
    return " with ".join([parts[0], " and ".join(parts[1:])]) if len(parts) > 1 else parts[0]


def counted(plan: Plan) -> str:
    """The service whose processes the sentence counts: the feed, or the one with the most if nobody reads the feed."""
    groups = plan.brief.scenario.system.placement.processes
    if FEED_READ in plan.brief.demands.operations:
        return next(name for name, members in groups.items() if Component.FEED in members)
    return max(groups, key=plan.count)


def sentence(plan: Plan) -> str:
    """The plan in one sentence: counts, latency, cost, the first bottleneck and the largest cost."""
    parts = [f"{plan.machines:,} machines"]
    feed = counted(plan)
    parts[0] += f", {plan.count(feed):,} {feed} process{'' if plan.count(feed) == 1 else 'es'}"
    tightest = max(plan.outlook.percentiles, key=lambda each: each.burn(Moment.LOST), default=None)
    if tightest is not None:
        seconds = tightest.seconds[Moment.LOST]
        parts.append(
            f"{tightest.limit.text} {with_error(seconds)} "
            f"{'of' if tightest.held else 'against'} {figures.limit_of(tightest.limit.seconds, 'seconds')}"
        )
    parts.append(f"{money(plan.bill.total_dollars_month)} a month")
    others = [each.limit.text for each in plan.outlook.percentiles if not each.held and each is not tightest]
    others += [] if plan.availability.held else [f"availability of {nines(plan.availability.asked_ratio)}"]
    if others:
        parts.append(f"missed: {' and '.join(others)}")
    missing = f"; {nothing_left(plan)}" if plan.nothing_left else ""
    return f"{', '.join(parts)}{missing}; {bottleneck(plan)}; {dearest(plan)}"


def bottleneck(plan: Plan) -> str:
    """The first bottleneck, and the headroom until then."""
    first = plan.outlook.bottleneck
    if first.name in plan.nothing_left:
        return f"{first.name} gives way first, none of it is left in the worst hour"
    room = first.headroom[Moment.LOST]
    if room < 0.005:
        return f"{first.name} gives way first, without any {first.binds} left in the worst hour"
    return f"{first.name} gives way first, its {first.binds} at {headroom(room)} on the worst hour"


def nothing_left(plan: Plan) -> str:
    """Why nobody is served with the spares down, if too few instances are given; else empty."""
    given, spare = plan.brief.intent.fleet, plan.brief.intent.spare
    groups = " and ".join(f"{name} ({given[name]} given)" for name in plan.nothing_left)
    return f"with {spare} down none is left of {groups}" if groups else ""


def full_at_knee(plan: Plan) -> TierOutlook | None:
    """The tier of which something other than CPU is full at the fleet's knee; None if a limit is missed there."""
    knee = plan.outlook.knee * (1.0 + 1e-9)
    full = [each for each in plan.outlook.tiers if each.binds != "CPU" and 1.0 + each.headroom[Moment.LOST] <= knee]
    return min(full, key=lambda each: each.headroom[Moment.LOST], default=None)


def whose_knee(plan: Plan) -> tuple[str, str]:
    """(the tier or the limit, what happens to it) at the knee of the whole fleet."""
    full = full_at_knee(plan)
    if full is not None:
        return full.name, f"which has no {full.binds} left"

    def spent(curve: LoadCurve) -> float:
        at = sum(load <= plan.outlook.knee for load in curve.load)
        return curve.seconds[min(at, len(curve.seconds) - 1)] / curve.limit.seconds

    first = max((curve for curve in plan.outlook.curves if curve.seconds), key=spent, default=None)
    return (first.limit.text, "which is missed") if first is not None else ("", "")


def knee(plan: Plan) -> str:
    """The load that the whole fleet can take, and what is full at its knee if no limit is missed there."""
    limit = f"The whole fleet of {plan.outlook.region} takes {plan.outlook.knee:.2f} × the worst hour's load"
    full = full_at_knee(plan)
    return f"{limit}, where {full.name} has no {full.binds} left" if full is not None else limit


#: When a fleet is short in a draw.
SHORT: Final = "a limit is missed, a tier is busier than intent.busy, or its memory, disk or places are full"


def dearest(plan: Plan) -> str:
    parts = plan.bill.by_component()
    name = max(parts, key=lambda each: parts[each])
    return f"{name} is {percent(parts[name] / plan.bill.total_dollars_month)} of the bill"


def term(name: str) -> str:
    """``reserved 3y``, ``feed spot``."""
    return name.replace("_", " ")


def terms(plan: Plan) -> str:
    """How machines are paid, according to the intent."""
    terms = plan.brief.intent.term or {DEFAULT: ON_DEMAND}
    return ", ".join(term(each if group == DEFAULT else f"{group} {each}") for group, each in terms.items())


def by_age(plan: Plan) -> str:
    """``$320 M – $425 M``: the bill's ends by the age of its prices."""
    return f"{money(plan.aged.low_dollars_month)} – {money(plan.aged.high_dollars_month)}"


def unit_costs(plan: Plan) -> str:
    """The bill by request and by user."""
    bill = plan.bill
    return (
        f"{money(bill.dollars_per_million_requests or 0.0)} per million requests, images among them; "
        f"{figures.dollars(bill.dollars_per_user_month)} per user and month"
    )


def utilisations(tier: TierOutlook) -> tuple[str, ...]:
    """How busy a tier is at each moment and at the knee, and its headroom at each moment."""
    return (
        *(percent(tier.utilisation[moment]) for moment in Moment),
        percent(tier.knee_utilisation),
        *(headroom(tier.headroom[moment]) for moment in Moment),
    )


def paid(term: Paid, plan: Plan) -> tuple[str, str]:
    """(the bill a month at a term of payment, remarks: what a reservation obliges to, and other spares)."""
    if term.dollars_month is None:
        return figures.MISSING, term.says
    remarks = ["this plan"] if term.planned else [term.says] if term.says else []
    if term.owed_months:
        remarks.append(f"{money(term.owed_dollars)} owed in {term.owed_months} months")
    if term.spares is not None and term.spares != plan.spares:
        spot = f", {term.spares.spot} spot machines" if term.term == SPOT else ""
        remarks.append(f"{term.spares.machines} machines{spot} and {term.spares.replicas} replicas to spare")
    return money(term.dollars_month), "; ".join(remarks)


def headline(plan: Plan) -> str:
    """The plan's sentence with how sure it is, if an input is uncertain. That of a fleet which is short more often than
    not begins with that, and with the fleet of least regret."""
    known = plan.uncertainty
    if known is None:
        return sentence(plan)
    sure = f"P(limits hold) {percent(known.met_ratio)}, P(short) {percent(known.short_ratio)}"
    if not often_short(plan):
        return f"{sentence(plan)}. {sure}"
    least = (
        f"the fleet of least regret is {known.least_regret:.2f} × this one, with machines for "
        f"{money(known.least_regret_dollars)} a month, short in {percent(known.least_regret_short)}"
    )
    draws = f"of {known.draws:,} draws {drawn_from(plan)}"
    return f"short in {percent(known.short_ratio)} {draws}; {least}. As stated: {sentence(plan)}. {sure}"


def todays_fleet(plan: Plan) -> str:
    """What the fleet of today does under the plan's demand and intent; empty if the intent has none."""
    known = plan.present
    if known is None:
        return ""
    if known.plan is None:
        return f"today's fleet cannot carry it: {known.impossible}"
    return f"today's fleet {'holds' if known.plan.held else 'does not hold'} the intent: {sentence(known.plan)}"


def compared(plan: Plan) -> list[tuple[str, str, str, str]]:
    """Group, its instances today and as planned, in the largest region, and what is to be bought or given back."""
    found = []
    for name, count in plan.present.counts.items() if plan.present is not None else ():
        tier = plan.largest.tiers[name]
        planned = tier.instances // tier.copies  # as intent.present and intent.fleet count them: without copies
        change = planned - count
        found.append((name, f"{count:,}", f"{planned:,}", figures.signed(change) if change else "the same"))
    return found


def drawn_from(plan: Plan) -> str:
    """Which inputs are uncertain."""
    calibrated = plan.uncertainty is not None and plan.uncertainty.calibrated
    sources = ["the intent's ranges"] * bool(plan.brief.intent.ranges) + ["the error of calibration"] * bool(calibrated)
    return f"from {' and '.join(sources)}"


def often_short(plan: Plan) -> bool:
    """Whether the fleet is short in most draws of the uncertain inputs."""
    return plan.uncertainty is not None and plan.uncertainty.short_ratio > 0.5


def machines(plan: Plan) -> str:
    """The machines, and the shards of stores."""
    largest = plan.largest
    parts = []
    for index, pool in enumerate(largest.pools):
        count = sum(region.pools[index].machines for region in plan.regions)
        who = f"{', '.join(pool.groups)} ({term(pool.term)})" if len(largest.pools) > 1 else "services"
        parts.append(f"{who} on {count:,} {pool.shape.price_id}")
    for name, shape in plan.shapes.stores.items():
        count = sum(region.tiers[name].machines for region in plan.regions)
        parts.append(f"{name} on {count:,} {shape.price_id}{_parts(plan, name)}")
    parts.append(f"{largest.partitions:,} partitions a topic")
    return "; ".join(parts)


def _parts(plan: Plan, name: str) -> str:
    """The parts of a store, and what it holds."""
    copies = plan.regions[0].tiers[name].copies
    parts = sum(region.tiers[name].working for region in plan.regions)
    if name == Server.POSTGRES:
        return f" ({_many(parts, 'shard')} × {_many(copies, 'copy')})"
    if name == Server.REDIS:
        held = sum(region.held_bytes for region in plan.regions)
        return f" ({size(held)} in {_many(parts, 'process')} × {_many(copies, 'copy')})"
    return ""


def _many(count: int, noun: str) -> str:
    plural = {"copy": "copies", "process": "processes"}.get(noun, f"{noun}s")
    return f"{count:,} {noun if count == 1 else plural}"


def sentence_case(text: str) -> str:
    """The text with a capital first letter; the rest is unchanged, because it has names and units."""
    return text[:1].upper() + text[1:]
