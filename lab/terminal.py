"""The text of a comparison for the terminal: misses first, a verdict in a sentence with its numbers."""

from __future__ import annotations

from pathlib import Path

from lab import modelled, speeds
from present import figures
from present.tables import MARKS, closing, ends, faint, labelled, missed, table, verdict
from records.comparison import CacheSide, Comparison, ExpectationPair, Judged, OperationPair, Side, SideFacts


def render(
    comparison: Comparison,
    *,
    folder: Path | None = None,
    command: str = "run",
    show_all: bool = False,
    took_seconds: float | None = None,
) -> str:
    """The result of ``windtunnel run`` as text for `click.echo`; ``folder`` is where the report is."""
    blocks = [
        _head(comparison, command, took_seconds),
        *_expectations(comparison),
        *_agreement(comparison, show_all=show_all),
        "",
        *_facts(comparison),
        "",
    ]
    if folder is not None:
        blocks.append(f"report  {folder / 'report.html'}")
    return "\n".join([*blocks, closing(f"next    windtunnel dashboard --run {comparison.id}", comparison.exit_code)])


def _head(comparison: Comparison, command: str, took_seconds: float | None) -> str:
    side = comparison.measured if comparison.measured.present else comparison.simulated
    took = figures.took(side.wall_seconds if took_seconds is None else took_seconds)
    right = f"seed {comparison.seed}   {side.commit}   {figures.clock(side.started)}   {took}"
    line = ends(f"windtunnel {command} {comparison.scenario}", right)
    return f"{line}\n{verdict(comparison.sentence, comparison.exit_code == 0)}"


def _expectations(comparison: Comparison) -> list[str]:
    if not comparison.verdicts:
        return []
    rows = [
        [
            f"{MARKS[_held(pair)]} {pair.name}",
            figures.limit(pair),
            _value(pair, pair.simulated),
            _value(pair, pair.measured),
            _word(pair, pair.deciding),
        ]
        for pair in comparison.verdicts
    ]
    texts, _ = table(["EXPECTATIONS", "limit", "simulated", "measured", "verdict"], rows, remark=True)
    lines = ["", texts[0]]
    for pair, line in zip(comparison.verdicts, texts[1:], strict=True):
        lines.append(missed(line, _held(pair) is False))
        if pair.deciding is not None and pair.deciding.reason:
            lines.append(faint(f"    {pair.deciding.reason}"))
    return lines


def _held(pair: ExpectationPair) -> bool | None:
    return pair.deciding.held if pair.deciding is not None else None


def _value(verdict: ExpectationPair, side: Judged | None) -> str:
    return figures.by_unit(side.value, verdict.unit) if side is not None else figures.MISSING


def _word(verdict: ExpectationPair, decided: Judged | None) -> str:
    if decided is None or decided.held is None:
        return "not judged"
    return "held" if decided.held else f"missed {figures.margin(verdict)}".rstrip()


def _agreement(comparison: Comparison, *, show_all: bool) -> list[str]:
    if not (comparison.simulated.present and comparison.measured.present):
        return []
    rows = [(name, each) for name, each in comparison.rows if each.simulated is not None and each.measured is not None]
    shown = [each for each in rows if show_all or each[1].beyond_noise]
    worst = {each.operation for _, each in shown}
    matched = [(each.operation, each) for each in comparison.matched if each.operation in worst]
    head = ["AGREEMENT, worst first", "ρ", "p50", "p95", "p99", "noise", "n"]
    texts, _ = table(head, [_row(*each) for each in (*shown, *matched)])
    lines = ["", *texts[: 1 + len(shown)]]
    hidden = [pair for name, pair in rows if (name, pair) not in shown]
    for count, what in (
        (sum(1 for each in hidden if each.beyond_noise is False), "within noise"),
        (sum(1 for each in hidden if each.beyond_noise is None), "with too few requests to judge"),
    ):
        if count:
            lines.append(faint(f"  … {count} {'more ' if shown else ''}{what} (--all)"))
    if comparison.speed is not None and comparison.matched:
        lines.append(
            f"speed-matched: the model again, at ×{comparison.speed.ratio:.2f} the profile's CPU, the whole time"
        )
        lines += texts[1 + len(shown) :]
    return lines


def _row(name: str, pair: OperationPair) -> list[str]:
    return [
        f"{'!' if pair.beyond_noise else ' '} {name}",
        figures.rho(pair.utilisation_ratio),
        *(figures.error(each.error_ratio) for each in pair.quantiles),
        figures.noise(pair.worst.noise_ratio if pair.worst else None),
        figures.count(pair.measured.count if pair.measured else None),
    ]


def _facts(comparison: Comparison) -> list[str]:
    lines: list[str] = []
    for fault in comparison.faults:
        acted = f"seen to act ({fault.proof})" if fault.proof else "not proven to act"
        acted = acted if comparison.measured.present else "as planned"
        text = f"{fault.target} {fault.what}, {fault.begins_seconds:.0f}–{fault.ends_seconds:.0f} s, {acted}"
        lines += labelled("FAULT", text + _recovery(comparison))
    failing = [each for each in comparison.operations if _errors(each)]
    if failing:
        lines += labelled("ERRORS", "; ".join(_errors(each) for each in failing))
    known = [each for each in comparison.caches if each.simulated or each.measured]
    if known:
        parts = (f"{each.cache} {_hits(each.simulated)} / {_hits(each.measured)}" for each in known)
        lines += labelled("HITS", f"simulated / measured: {', '.join(parts)}")
    if comparison.cost is not None and comparison.cost.month is not None:
        month = comparison.cost.month
        text = f"{figures.dollars(month.simulated)} simulated, {figures.dollars(month.measured)} measured a month"
        lines += labelled("COST", f"{text} (prices {comparison.cost.prices})")
    elif comparison.cost is not None and comparison.cost.reason:
        lines += labelled("COST", f"not priced: {comparison.cost.reason}")
    for sentence in speeds.sentences(comparison):
        lines += labelled("SPEED", sentence)
    for label, text in modelled.lines(comparison.simulated.facts):
        lines += labelled(label, text)
    for side in (comparison.simulated, comparison.measured):
        if not side.present:
            lines += labelled("NOTE", side.reason)
    if comparison.measured.present:
        lines += labelled("VALID" if not comparison.measured.void else "VOID", _validity(comparison.measured))
    return lines


def _recovery(comparison: Comparison) -> str:
    pair = comparison.recovery_seconds
    if pair is None:
        return ""
    real, ours = ("at once" if each == 0 else figures.duration(each) for each in (pair.measured, pair.simulated))
    return f"; recovery {real}, predicted {ours}"


def _errors(pair: OperationPair) -> str:
    ours = pair.simulated.errors_ratio if pair.simulated else None
    real = pair.measured.errors_ratio if pair.measured else None
    if not ours and not real:
        return ""
    return f"{pair.operation} {_failed(pair.simulated)} simulated, {_failed(pair.measured)} measured"


def _failed(side: Side | None) -> str:
    """``8.6 % (6.1 % refused)``."""
    refused = f" ({figures.share(side.refused_ratio)} refused)" if side is not None and side.refused_ratio else ""
    return f"{figures.share(side.errors_ratio if side else None)}{refused}"


def _validity(side: SideFacts) -> str:
    parts = list(side.void_reasons)
    if side.lag_p99_seconds is not None:
        parts.append(f"generator lag p99 {figures.duration(side.lag_p99_seconds)}")
    parts.append(f"sent {side.sent_count:,} of {side.scheduled_count:,}")
    if side.stall_ratio is not None:
        parts.append(f"host stalled {figures.share(side.stall_ratio)} of the time")
    if not side.void:  # otherwise the reasons name them
        parts += [f"{each} died" for each in side.deaths]
    return ", ".join(parts)


def _hits(side: CacheSide | None) -> str:
    return figures.share(side.hit_ratio if side is not None else None)
