"""The charts of a report, each with its caption, alternative text and data as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core import judge, stats
from core.names import Origin
from core.run import Run, Samples
from lab import agreement
from present import charts, figures
from present.charts import series
from present.parts import PageFigure, Section, csv_text
from records.comparison import Comparison, ExpectationPair, OperationPair

WIDE: Final = 680
NARROW: Final = 300
#: Operations that get charts of their own; the dashboard has the rest.
OPERATIONS_MAX: Final = 5

Sides = Mapping[Origin, Samples]


def timeline(comparison: Comparison, runs: Mapping[Origin, Run]) -> Section:
    """Latency over time of every operation with an expectation, or else of the busiest."""
    limited = {_operation(each) for each in comparison.verdicts if each.unit == "seconds"}
    busiest = sorted(comparison.operations, key=lambda each: -each.count)
    names = [each.operation for each in busiest if each.operation in limited and each.count]
    names = names or [each.operation for each in busiest[:1] if each.count]
    sides = _judged(runs)
    return Section(
        title="Latency over time",
        figures=tuple(_over_time(name, comparison, _of(sides, name)) for name in names),
    )


def overview(comparison: Comparison) -> tuple[PageFigure, ...]:
    """Signed errors of all operations on one axis."""
    pairs = [(name, each) for name, each in comparison.rows if each.worst is not None]
    if not pairs:
        return ()
    beyond = [name for name, each in pairs if each.beyond_noise]
    alt = f"Signed errors of {len(pairs)} rows; beyond noise: {', '.join(beyond) or 'none'}."
    rows = [
        (name, f"p{each.q * 100:g}", _number(each.error_ratio), _number(each.noise_ratio))
        for name, pair in pairs
        for each in pair.quantiles
        if each.error_ratio is not None
    ]
    return (
        PageFigure(
            caption="Signed errors; the grey bar is the noise of the sample sizes, and errors outside it are marked.",
            alt=alt,
            wide=charts.svg(charts.signed_errors(pairs, palette=charts.CSS, width=WIDE - 130)),
            narrow=charts.svg(charts.signed_errors(pairs, palette=charts.CSS, width=NARROW - 90)),
            data=csv_text(("operation", "percentile", "error_ratio", "noise_ratio"), rows),
        ),
    )


def latency_sections(comparison: Comparison, runs: Mapping[Origin, Run]) -> list[Section]:
    """Latency by percentile, cumulated and one side against the other; worst operation first."""
    if len(runs) < 2:
        return []
    windows = tuple((each.begins_seconds, each.ends_seconds) for each in comparison.faults)
    whole = _judged(runs)
    outside = {
        origin: samples.where(~judge.in_windows(runs[origin].samples.judged(), windows))
        for origin, samples in whole.items()
    }
    found: list[Section] = []
    for pair in comparison.outside_faults or comparison.operations:
        if len(found) == OPERATIONS_MAX:
            break
        calm = _of(outside, pair.operation)
        if all(stats.supported(len(samples), 0.95) for samples in calm.values()) and len(calm) == 2:
            found.append(_by_percentile(pair, calm, _of(whole, pair.operation), outside=bool(windows)))
    return found


def _over_time(name: str, comparison: Comparison, sides: Sides) -> PageFigure:
    limit = next((each for each in comparison.verdicts if _operation(each) == name and each.unit == "seconds"), None)

    def drawn(width: int, height: int) -> str:
        return charts.svg(
            charts.over_time(
                sides,
                duration_seconds=comparison.duration_seconds,
                palette=charts.CSS,
                faults=comparison.faults,
                limit_seconds=limit.limit if limit else None,
                limit_name=_limit_name(limit),
                viral_at_seconds=comparison.viral_at_seconds,
                width=width,
                height=height,
            )
        )

    span = series.window_seconds(list(sides.values()), comparison.duration_seconds)
    rows: dict[float, dict[str, Any]] = {}
    for origin, samples in sides.items():
        for row in series.over_windows(samples, span, comparison.duration_seconds):
            rows.setdefault(row["t"], {}).update({f"{origin.value}_{key}": row[key] for key in ("p50", "p95", "rate")})
    keys = [f"{origin.value}_{key}" for origin in sides for key in ("p50", "p95", "rate")]
    faults = "; ".join(
        f"{each.target} {each.what} from {each.begins_seconds:.0f} s to {each.ends_seconds:.0f} s"
        for each in comparison.faults
    )
    worst = [
        f"{origin.value} p95 at most {figures.duration(max(values) / 1e3)}"
        for origin in sides
        if (values := [row[f"{origin.value}_p95"] for row in rows.values() if row.get(f"{origin.value}_p95")])
    ]
    alt = f"{name} over time: {', '.join(worst)}" + (f"; shaded: {faults}." if faults else ".")
    return PageFigure(
        caption=f"{name}: p50 and p95 in windows of {span:g} s, measured solid, simulated dashed"
        + ("; the fault acts in the shaded time." if faults else "."),
        alt=alt,
        wide=drawn(WIDE - 150, 240),
        narrow=drawn(NARROW - 70, 220),
        data=csv_text(
            ("t_seconds", *(f"{key}_ms" if "rate" not in key else f"{key}_per_second" for key in keys)),
            [(at, *(_number(row.get(key)) for key in keys)) for at, row in sorted(rows.items())],
        ),
    )


def _by_percentile(pair: OperationPair, calm: Sides, whole: Sides, *, outside: bool) -> Section:
    name = pair.operation
    when = " outside of faults" if outside else ""
    errors = ", ".join(
        f"p{each.q * 100:g} {figures.error(each.error_ratio)} (noise {figures.noise(each.noise_ratio)})"
        for each in pair.quantiles
        if each.error_ratio is not None
    )
    fewest = min(len(each) for each in calm.values())
    curves = {origin: series.quantile_curve(samples, upto_count=fewest) for origin, samples in calm.items()}
    real, ours = curves[Origin.MEASURED], curves[Origin.SIMULATED]
    rows = [
        tuple(round(float(each), 6) for each in row)
        for row in zip(real.levels, ours.values, real.values, real.low, real.high, strict=True)
    ]
    shares = {origin: dict(series.cumulative(samples)) for origin, samples in whole.items()}
    points = [(origin.value, x, round(y, 5)) for origin, side in shares.items() for x, y in side.items()]
    words = f"{name}{when}: {errors}"
    return Section(
        title=f"{name}, latency by percentile",
        figures=(
            PageFigure(
                caption=f"Latency by percentile{when}; the band is the 95 % interval of the measured one. Below: the "
                "error, and in grey the noise of the sample sizes.",
                alt=f"{words}.",
                wide=charts.svg(charts.by_percentile(calm, palette=charts.CSS, width=WIDE - 130)),
                narrow=charts.svg(charts.by_percentile(calm, palette=charts.CSS, width=NARROW - 60, height=220)),
                data=csv_text(("q", "simulated_seconds", "measured_seconds", "measured_low", "measured_high"), rows),
            ),
            PageFigure(
                caption="Cumulated, the whole time.",
                alt=f"{name}: the distributions' largest distance (KS) is "
                f"{figures.MISSING if pair.ks is None else f'{pair.ks:.2f}'}.",
                wide=charts.svg(charts.distribution(whole, palette=charts.CSS, width=NARROW - 20)),
                half=True,
                data=csv_text(("side", "latency_ms", "share"), points),
            ),
            PageFigure(
                caption=f"Quantile against quantile{when}; on the diagonal the sides agree.",
                alt=f"{words}: {_side_of_the_diagonal(pair)}.",
                wide=charts.svg(charts.quantile_quantile(calm, palette=charts.CSS, width=NARROW - 20)),
                half=True,
            ),
        ),
    )


def _side_of_the_diagonal(pair: OperationPair) -> str:
    errors = [each.error_ratio for each in pair.quantiles if each.error_ratio is not None]
    if all(each > 0 for each in errors):
        return "the simulation is slower throughout"
    return "the simulation is faster throughout" if all(each < 0 for each in errors) else "the curves cross"


def _judged(runs: Mapping[Origin, Run]) -> Sides:
    return {
        origin: agreement.waited(side.samples.judged(), side.scenario.traffic.timeout_seconds)
        for origin, side in runs.items()
    }


def _of(sides: Sides, name: str) -> Sides:
    return {origin: found for origin, samples in sides.items() if len(found := samples.of(name))}


def _operation(verdict: ExpectationPair) -> str:
    return verdict.name.partition(" ")[0]


def _limit_name(limit: ExpectationPair | None) -> str:
    if limit is None:
        return ""
    measure = limit.name.partition(" ")[2].partition(",")[0]
    return f"{measure} {figures.limit(limit)}"


def _number(value: object) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
