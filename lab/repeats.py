"""Runs of one scenario that were repeated: the median of each figure, and the noise floor that one run cannot show.

The noise floor is half of the range that the repeats span. An error within it says nothing about the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from present import figures
from present.tables import MARKS, ends, labelled, table, verdict
from records.comparison import HELD, MISSED, VOID, Comparison, OperationPair, Quantile, Side

FILE: Final = "repeats.json"
_LEVELS: Final = (0.5, 0.95, 0.99)


class RepeatedQuantile(msgspec.Struct, frozen=True, kw_only=True):
    """One percentile over all repeats: medians; None where no repeat had enough requests."""

    q: float
    measured_seconds: float | None = None
    noise_ratio: float | None = None  # half of the range of the measured values, over their median
    error_ratio: float | None = None  # of the model, run ahead
    matched_error_ratio: float | None = None  # of the model, run at the speed of each repeat


class RepeatedGoodput(msgspec.Struct, frozen=True, kw_only=True):
    """Successful answers of one operation over all repeats: medians."""

    measured_per_second: float
    noise_ratio: float | None = None
    error_ratio: float | None = None
    matched_error_ratio: float | None = None
    measured_errors_ratio: float = 0.0  # share of requests that were refused, failed or timed out
    simulated_errors_ratio: float | None = None


class RepeatedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation over all repeats."""

    name: str
    count: int  # requests of all repeats
    quantiles: tuple[RepeatedQuantile, ...]
    goodput: RepeatedGoodput


class RepeatedExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation: the median of its values, and in how many of the repeats that could judge it it held."""

    name: str
    unit: str
    value: float | None
    held_count: int
    judged_count: int

    @property
    def held(self) -> bool | None:
        """Whether most repeats held it; None where none could judge."""
        return 2 * self.held_count > self.judged_count if self.judged_count else None


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """``repeats.json``, in the folder of the first repeat."""

    scenario: str
    runs: tuple[str, ...]
    void: dict[str, str]  # runs that are left out, and why
    expectations: tuple[RepeatedExpectation, ...]
    operations: tuple[RepeatedOperation, ...]
    exit_code: int


def summarise(comparisons: Sequence[Comparison]) -> Repeats:
    """Summarise at least one comparison of the same scenario."""
    valid = [each for each in comparisons if not each.measured.void]
    expectations = _expectations(valid)
    missed = any(each.held is False for each in expectations)
    return Repeats(
        scenario=comparisons[0].scenario,
        runs=tuple(each.id for each in comparisons),
        void={each.id: "; ".join(each.measured.void_reasons) for each in comparisons if each.measured.void},
        expectations=expectations,
        operations=_operations(valid),
        exit_code=VOID if not valid else MISSED if missed else HELD,
    )


def write(folder: Path, repeats: Repeats) -> None:
    """Write ``repeats.json`` into ``folder``."""
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(repeats), indent=1) + b"\n")


def render(repeats: Repeats, *, took_seconds: float) -> str:
    """The summary as text for the terminal."""
    count, void = len(repeats.runs), len(repeats.void)
    said = {
        HELD: "most repeats held every expectation",
        MISSED: "most repeats missed an expectation",
        VOID: "every repeat is void",
    }[repeats.exit_code]
    lines = [
        ends(f"windtunnel run {repeats.scenario} × {count}", figures.took(took_seconds)),
        verdict(f"{said}; {count - void} of {count} repeats are valid", repeats.exit_code == HELD),
    ]
    if repeats.expectations:
        rows = [
            [
                f"{MARKS[each.held]} {each.name}",
                figures.by_unit(each.value, each.unit),
                f"{each.held_count} of {each.judged_count}",
            ]
            for each in repeats.expectations
        ]
        lines += ["", *table(["EXPECTATIONS", "median", "held in"], rows)[0]]
    if repeats.operations:
        rows = [
            [
                f"{each.name} p{100 * level.q:.0f}",
                figures.duration(level.measured_seconds),
                figures.noise(level.noise_ratio),
                figures.error(level.error_ratio),
                figures.error(level.matched_error_ratio),
                figures.count(each.count),
            ]
            for each in repeats.operations
            for level in each.quantiles
            if level.measured_seconds is not None
        ]
        rows += [
            [
                f"{each.name} goodput",
                figures.rate(each.goodput.measured_per_second),
                figures.noise(each.goodput.noise_ratio),
                figures.error(each.goodput.error_ratio),
                figures.error(each.goodput.matched_error_ratio),
                figures.count(each.count),
            ]
            for each in repeats.operations
        ]
        lines += ["", *table(["MEDIANS OF REPEATS", "measured", "noise", "error", "speed-matched", "n"], rows)[0]]
        lines.append("noise: half of the range of the repeats")
        unanswered = [each for each in repeats.operations if each.goodput.measured_errors_ratio > 0]
        if unanswered:
            rows = [
                [
                    each.name,
                    figures.share(each.goodput.measured_errors_ratio),
                    figures.share(each.goodput.simulated_errors_ratio),
                ]
                for each in unanswered
            ]
            lines += ["", *table(["REFUSED OR FAILED", "measured", "simulated"], rows)[0]]
    lines.append("")
    for run, reason in repeats.void.items():
        lines += labelled("VOID", f"{run}: {reason}")
    return "\n".join([*lines, f"runs    {', '.join(repeats.runs)}"])


def _expectations(valid: Sequence[Comparison]) -> tuple[RepeatedExpectation, ...]:
    found: list[RepeatedExpectation] = []
    for first in valid[0].verdicts if valid else ():
        sides = [each.measured for run in valid for each in run.verdicts if each.name == first.name and each.measured]
        values = [each.value for each in sides if each.value is not None]
        judged = [each.held for each in sides if each.held is not None]
        found.append(
            RepeatedExpectation(
                name=first.name,
                unit=first.unit,
                value=median(values) if values else None,
                held_count=sum(judged),
                judged_count=len(judged),
            )
        )
    return tuple(found)


def _operations(valid: Sequence[Comparison]) -> tuple[RepeatedOperation, ...]:
    names = dict.fromkeys(name for run in valid for name, pair in run.rows if pair.measured is not None)
    found: list[RepeatedOperation] = []
    for name in names:
        pairs = [pair for run in valid for each, pair in run.rows if each == name]
        matched = [pair for run in valid for pair in run.matched if pair.operation == name]
        quantiles = tuple(_quantile(q, pairs, matched) for q in _LEVELS)
        if any(each.measured_seconds is not None for each in quantiles):
            found.append(
                RepeatedOperation(
                    name=name,
                    count=sum(pair.count for pair in pairs),
                    quantiles=quantiles,
                    goodput=_goodput(pairs, matched),
                )
            )
    return tuple(found)


def _goodput(pairs: Sequence[OperationPair], matched: Sequence[OperationPair]) -> RepeatedGoodput:
    measured = [_answered(each.measured) for each in pairs if each.measured is not None]
    middle = median(measured)
    simulated = [each.simulated.errors_ratio or 0.0 for each in pairs if each.simulated is not None]
    return RepeatedGoodput(
        measured_per_second=middle,
        noise_ratio=0.5 * (max(measured) - min(measured)) / middle if middle and len(measured) > 1 else None,
        error_ratio=_goodput_error(pairs),
        matched_error_ratio=_goodput_error(matched),
        measured_errors_ratio=median(each.measured.errors_ratio or 0.0 for each in pairs if each.measured is not None),
        simulated_errors_ratio=median(simulated) if simulated else None,
    )


def _answered(side: Side) -> float:
    return side.per_second * (1.0 - (side.errors_ratio or 0.0))


def _goodput_error(pairs: Sequence[OperationPair]) -> float | None:
    both = [
        (_answered(each.simulated), _answered(each.measured))
        for each in pairs
        if each.simulated is not None and each.measured is not None
    ]
    errors = [ours / real - 1.0 for ours, real in both if real]
    return median(errors) if errors else None


def _quantile(q: float, pairs: Sequence[OperationPair], matched: Sequence[OperationPair]) -> RepeatedQuantile:
    measured = [each.measured.value for each in _levels(q, pairs) if each.measured is not None]
    middle = median(measured) if measured else None
    return RepeatedQuantile(
        q=q,
        measured_seconds=middle,
        noise_ratio=0.5 * (max(measured) - min(measured)) / middle if middle and len(measured) > 1 else None,
        error_ratio=_median_error(_levels(q, pairs)),
        matched_error_ratio=_median_error(_levels(q, matched)),
    )


def _levels(q: float, pairs: Sequence[OperationPair]) -> list[Quantile]:
    return [level for pair in pairs if (level := pair.quantile(q)) is not None]


def _median_error(levels: Sequence[Quantile]) -> float | None:
    errors = [each.error_ratio for each in levels if each.error_ratio is not None]
    return median(errors) if errors else None
