"""The content of a report, in order: verdict, timeline, agreement, percentiles, faults, ledger, cost, validity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from core.names import Origin
from core.run import Run
from lab import modelled, speeds
from lab.report import agreement
from lab.report.drawings import latency_sections, overview, timeline
from present import figures
from present.parts import LISTING_MAX, Listing, Report, Section, Table, row
from records.comparison import Comparison, Pair, SideFacts

_MARKS = {True: "✓", False: "✗", None: "·"}
_WORDS = {True: "held", False: "missed", None: "not judged"}
_SIDES = ("simulated", "measured")


def content(comparison: Comparison, runs: Mapping[Origin, Run], scenario_text: str) -> Report:
    """The report of ``comparison``, with charts from the samples of ``runs``."""
    side = comparison.measured if comparison.measured.present else comparison.simulated
    sections = [
        _expectations(comparison),
        timeline(comparison, runs),
        _agreement(comparison, runs),
        *latency_sections(comparison, runs),
        _faults(comparison),
        _hits(comparison),
        _ledger(comparison),
        _cost(comparison),
        _modelled(comparison),
        _validity(comparison),
        _repeat(comparison, scenario_text),
    ]
    calibration = comparison.simulated.calibration
    caption = [
        f"run {comparison.id}",
        f"seed {comparison.seed}",
        f"commit {side.commit}",
        figures.clock(side.started),
        _machine(comparison.measured),
        f"calibration {calibration}" if calibration else "",
    ]
    return Report(
        title=comparison.scenario,
        sentence=comparison.sentence,
        good=comparison.exit_code == 0,
        caption=" · ".join(each for each in caption if each),
        says=comparison.says,
        sections=tuple(each for each in sections if each is not None),
    )


def _expectations(comparison: Comparison) -> Section | None:
    if not comparison.verdicts:
        return Section(title="Expectations", sentences=("The scenario states no expectations, so nothing was judged.",))
    rows = []
    for verdict in comparison.verdicts:
        decided = verdict.deciding
        held = decided.held if decided is not None else None
        word = _WORDS[held]
        if decided is not None and decided.reason:
            word += f": {decided.reason}"
        rows.append(
            row(
                f"{_MARKS[held]} {verdict.name}",
                figures.limit(verdict),
                figures.judged(verdict.simulated, verdict.unit),
                figures.judged(verdict.measured, verdict.unit),
                figures.margin(verdict) or figures.MISSING,
                figures.count(decided.count if decided else None),
                word,
                mark="missed" if held is False else "",
            )
        )
    head = ("expectation", "limit", *_SIDES, "margin", "n", "verdict")
    return Section(
        title="Expectations",
        tables=(Table.of(head, rows, 6),),
        sentences=() if comparison.measured.present else (f"Judged on the simulation: {comparison.measured.reason}.",),
    )


def _agreement(comparison: Comparison, runs: Mapping[Origin, Run]) -> Section | None:
    if len(runs) < 2:
        missing = comparison.simulated if not comparison.simulated.present else comparison.measured
        return Section(title="Agreement", sentences=(f"There is nothing to compare: {missing.reason}.",))
    tables = [agreement.errors(comparison.rows, "Prediction: it uses nothing from the judged run.")]
    if comparison.matched and comparison.speed is not None:
        caption = (
            f"Speed-matched, the whole time: the model run again with the profile's CPU demand × "
            f"{comparison.speed.ratio:.2f}, "
            "the one scalar taken from the judged run."
        )
        tables.append(agreement.errors([(each.operation, each) for each in comparison.matched], caption))
    sentences = [
        "Error = (simulated − measured) / measured. The noise is from the sample sizes; a percentile is given if "
        "at least ten requests lie beyond it."
    ]
    sentences += [f"{each[:1].upper()}{each[1:]}." for each in speeds.sentences(comparison)]
    tables += [agreement.rates(comparison), agreement.percentiles(comparison.rows)]
    return Section(
        title="Agreement",
        sentences=tuple(sentences),
        tables=tuple(tables),
        figures=overview(comparison),
    )


def _faults(comparison: Comparison) -> Section | None:
    if not comparison.faults:
        return None
    rows = (
        row(
            f"{each.target} {each.what}",
            f"{each.begins_seconds:.1f} s",
            f"{each.ends_seconds:.1f} s",
            each.proof or ("not proven to act" if comparison.measured.present else "as planned"),
        )
        for each in comparison.faults
    )
    drill = (
        ("recovery", comparison.recovery_seconds),
        ("depth: worst p95 of a second", comparison.depth_seconds),
    )
    tables = (Table.of(("fault", "from", "to", "seen to act"), rows, 3), *_pairs("", drill, figures.duration))
    return Section(title="Faults", tables=tables)


def _pairs(
    head: str, pairs: Iterable[tuple[str, Pair | None]], form: Callable[[float | None], str]
) -> tuple[Table, ...]:
    """A table of those figures that both sides have; none where there are no such figures."""
    rows = [
        row(name, form(pair.simulated), form(pair.measured), figures.error(pair.error_ratio))
        for name, pair in pairs
        if pair is not None
    ]
    return (Table.of((head, *_SIDES, "error"), rows),) if rows else ()


def _hits(comparison: Comparison) -> Section | None:
    if not comparison.caches:
        return None
    rows = []
    for each in comparison.caches:
        ratios = [side.hit_ratio if side is not None else None for side in (each.simulated, each.measured)]
        lookups = each.measured or each.simulated
        points = (ratios[0] - ratios[1]) * 100 if ratios[0] is not None and ratios[1] is not None else None
        rows.append(
            row(
                each.cache,
                figures.share(ratios[0]),
                figures.share(ratios[1]),
                figures.MISSING if points is None else f"{figures.signed(points, digits=1)} points",
                figures.count(lookups.hit_count + lookups.miss_count if lookups else None),
            )
        )
    return Section(title="Hit ratios", tables=(Table.of(("cache", *_SIDES, "difference", "look-ups"), rows),))


def _ledger(comparison: Comparison) -> Section | None:
    ledger = comparison.measured.ledger
    if not ledger:
        return None
    operations = list(dict.fromkeys(key.rpartition(".")[0] for key in ledger))
    columns = list(dict.fromkeys(key.rpartition(".")[2] for key in ledger))
    rows = (
        row(
            name,
            *(figures.count(ledger.get(f"{name}.{column}")) for column in columns),
            mark="missed" if ledger.get(f"{name}.lost") else "",
        )
        for name in operations
    )
    return Section(
        title="Ledger",
        sentences=("What was acknowledged to clients, and what the public API showed of it afterwards.",),
        tables=(Table.of(("operation", *columns), rows),),
    )


def _cost(comparison: Comparison) -> Section | None:
    cost = comparison.cost
    if cost is None:
        return None
    if cost.month is None:
        return Section(title="Cost", sentences=(f"Not priced: {cost.reason}.",))
    totals = (
        ("a month", cost.month),
        ("per million requests", cost.million_requests),
        ("per user, a month", cost.user),
    )
    items = ((each.name, each) for each in cost.items)
    return Section(
        title="Cost",
        sentences=(f"Both sides priced by the same bill from the price book {cost.prices}.", *cost.notes),
        tables=_pairs("", totals, figures.dollars) + _pairs("a month, by component", items, figures.dollars),
    )


def _modelled(comparison: Comparison) -> Section | None:
    found = modelled.remarks(comparison.simulated.facts)
    if not found:
        return None
    table = Table.of(("", "simulated"), (row(each.title, each.text) for each in found), 1)
    return Section(title="Facts about the simulation", tables=(table,))


def _validity(comparison: Comparison) -> Section:
    real = comparison.measured
    sentences = [f"The {name} run is void: {reason}." for name, reason in _voids(comparison)]
    if not real.void:  # otherwise the reasons name them
        sentences += [f"{each} died, and no fault had killed it." for each in real.deaths]
    sentences += list(comparison.notes)
    rows = []
    if real.present:
        rows = [
            row("generator lag p99", figures.duration(real.lag_p99_seconds)),
            row("requests sent of scheduled", f"{real.sent_count:,} of {real.scheduled_count:,}"),
            row("host stalled", figures.share(real.stall_ratio)),
        ]
    ours, theirs = comparison.simulated.utilisation_ratio, real.utilisation_ratio
    rows.append(row("the stack's cores busy, simulated", figures.rho(ours)))
    rows.append(row("the stack's cores busy, measured", figures.rho(theirs)))
    busy = _pairs("cores busy", ((each.name, each) for each in comparison.processes), figures.rho)
    return Section(
        title="Validity",
        sentences=tuple(each if each.endswith(".") else f"{each[:1].upper()}{each[1:]}." for each in sentences),
        tables=(Table.of(("", "value"), rows), *busy),
    )


def _voids(comparison: Comparison) -> list[tuple[str, str]]:
    sides = (("simulated", comparison.simulated), ("measured", comparison.measured))
    return [(name, "; ".join(side.void_reasons) or "no reason was recorded") for name, side in sides if side.void]


def _repeat(comparison: Comparison, scenario_text: str) -> Section:
    side = comparison.measured if comparison.measured.present else comparison.simulated
    folder = "measured" if comparison.measured.present else "simulated"
    commit = side.commit.removesuffix("+")
    steps = [
        f"git checkout {commit}",
        f"windtunnel run runs/{comparison.id}/{folder}/scenario.yaml   # seed {comparison.seed}",
        f"windtunnel report runs/{comparison.id}   # compare these two runs again",
    ]
    changed = ("The work tree differed from that commit when this was run.",) if side.commit.endswith("+") else ()
    listings = [Listing(title="Scenario", text=scenario_text[:LISTING_MAX])]
    if comparison.measured.errors or comparison.simulated.errors:
        listings.append(Listing(title="Most frequent errors", text=_error_lines(comparison)))
    return Section(
        title="How to repeat",
        sentences=changed,
        commands=tuple(steps),
        listings=tuple(listings),
    )


def _error_lines(comparison: Comparison) -> str:
    lines = [f"{'side':<10} {'operation':<18} {'outcome':<9} {'status':>6} {'count':>8}"]
    for name, side in (("measured", comparison.measured), ("simulated", comparison.simulated)):
        lines += [f"{name:<10} {each[0]:<18} {each[1]:<9} {each[2]:>6} {each[3]:>8,}" for each in side.errors]
    return "\n".join(lines)


def _machine(side: SideFacts) -> str:
    machine = side.machine
    if not machine:
        return ""
    memory = machine.get("memory_bytes")
    gib = f", {memory / 2**30:.0f} GiB" if isinstance(memory, int | float) else ""
    return f"{machine.get('processor', 'unknown processor')}, {machine.get('cores', '?')} cores{gib}"
