"""What a command prints of a comparison: misses first, a verdict in a sentence with its numbers.

Lines keep to 80 columns and are whole and plain; the few colours are ANSI codes that `click.echo` takes out when nobody
sits at a terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from lab import modelled
from present import figures
from present.tables import WIDTH, ends, labelled
from records.comparison import CacheSide, Comparison, ExpectationPair, Judged, OperationPair, SideFacts

_NAME: Final = 32
_MARKS: Final = {True: "✓", False: "✗", None: "·"}


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
    code = f"exit {comparison.exit_code}"
    if folder is not None:
        blocks.append(f"report  {folder / 'report.html'}")
    follow = f"next    windtunnel dashboard --run {comparison.id}"
    blocks.append(follow + code.rjust(max(len(code) + 2, WIDTH - len(follow))))
    return "\n".join(blocks)


def _head(comparison: Comparison, command: str, took_seconds: float | None) -> str:
    side = comparison.measured if comparison.measured.present else comparison.simulated
    took = figures.took(side.wall_seconds if took_seconds is None else took_seconds)
    right = f"seed {comparison.seed}   {side.commit}   {figures.clock(side.started)}   {took}"
    line = ends(f"windtunnel {command} {comparison.scenario}", right)
    good = comparison.exit_code == 0
    mark = "✓" if good else "✗"
    sentence = textwrap.fill(comparison.sentence, WIDTH - 2, subsequent_indent="  ")
    return f"{line}\n{_styled(f'{mark} {sentence}', None if good else 'missed')}"


def _expectations(comparison: Comparison) -> list[str]:
    if not comparison.verdicts:
        return []
    lines = ["", f"{'EXPECTATIONS':<{_NAME + 2}}{'limit':>8}{'simulated':>11}{'measured':>10}   verdict"]
    for verdict in comparison.verdicts:
        decided = verdict.deciding
        held = decided.held if decided is not None else None
        name = f"{_MARKS[held]} {verdict.name}"
        sides = f"{_value(verdict, verdict.simulated):>11}{_value(verdict, verdict.measured):>10}"
        cells = f"{figures.limit(verdict):>8}{sides}   {_word(verdict, decided)}"
        line = f"{name:<{_NAME + 2}}{cells}"
        if len(name) > _NAME + 2:  # a name is never cut: it gets a line of its own
            line = f"{name}\n{'':<{_NAME + 2}}{cells}"
        lines.append(_styled(line, "missed" if held is False else None))
        if decided is not None and decided.reason:
            lines.append(_styled(f"    {decided.reason}", "faint"))
    return lines


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
    lines = ["", f"{'AGREEMENT, worst first':<26}{'ρ':>5}{'p50':>9}{'p95':>9}{'p99':>9}{'noise':>9}{'n':>9}"]
    shown = [each for each in rows if show_all or each[1].beyond_noise]
    lines += [_row(*each) for each in shown]
    hidden = [pair for name, pair in rows if (name, pair) not in shown]
    for count, what in (
        (sum(1 for each in hidden if each.beyond_noise is False), "within noise"),
        (sum(1 for each in hidden if each.beyond_noise is None), "with too few requests to judge"),
    ):
        if count:
            more = "more " if shown else ""
            lines.append(_styled(f"  … {count} {more}{what} (--all)", "faint"))
    if comparison.speed is not None and comparison.matched:
        lines.append(f"speed-matched: the model again, at ×{comparison.speed.ratio:.2f} CPU demand, the whole time")
        worst = {each.operation for _, each in shown}
        lines += [_row(each.operation, each) for each in comparison.matched if each.operation in worst]
    return lines


def _row(name: str, pair: OperationPair) -> str:
    worst = pair.worst
    errors = "".join(f"{figures.error(each.error_ratio):>9}" for each in pair.quantiles)
    count = figures.count(pair.measured.count if pair.measured else None)
    mark = "!" if pair.beyond_noise else " "
    return (
        f"{mark} {name:<24}{figures.rho(pair.utilisation_ratio):>5}{errors}"
        f"{figures.noise(worst.noise_ratio if worst else None):>9}{count:>9}"
    )


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
    if comparison.speed is not None:
        lines += labelled("SPEED", f"this run used {comparison.speed.ratio:.2f} × the calibrated CPU demand")
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
    return f"{pair.operation} {figures.share(ours)} simulated, {figures.share(real)} measured"


def _validity(side: SideFacts) -> str:
    parts = list(side.void_reasons)
    if side.lag_p99_seconds is not None:
        parts.append(f"generator lag p99 {figures.duration(side.lag_p99_seconds)}")
    parts.append(f"sent {side.sent_count:,} of {side.scheduled_count:,}")
    if side.stall_ratio is not None:
        parts.append(f"host stalled {figures.share(side.stall_ratio)} of the time")
    if not side.void:  # else the reasons name them
        parts += [f"{each} died" for each in side.deaths]
    return ", ".join(parts)


def _hits(side: CacheSide | None) -> str:
    return figures.share(side.hit_ratio if side is not None else None)


_STYLES: Final[dict[str, Callable[[str], str]]] = {
    "missed": lambda text: click.style(text, fg="bright_magenta", bold=True),
    "faint": lambda text: click.style(text, dim=True),
}


def _styled(text: str, style: str | None) -> str:
    return _STYLES[style](text) if style else text
