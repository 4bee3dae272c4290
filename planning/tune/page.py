"""A tuning's page: the front with the limit and the best one starred beside today's, the candidates, the comparison."""

from __future__ import annotations

from planning.simulations.readings import COST, measure_of
from planning.studies import words
from planning.tune.optimum import PRODUCT, Objective, TriedSetting
from planning.tune.study import BEST_FILE, Tune, factor
from present import charts
from present.charts.front import FrontSpot, Kind, Marked, front
from present.parts import LISTING_MAX, Listing, PageFigure, Report, Section, Table, csv_text, row


def content(tune: Tune) -> Report:
    return Report(
        title=f"{tune.scenario.name}: {', '.join(each.field for each in tune.request.dimensions)}",
        sentence=tune.sentence,
        good=tune.chosen.feasible,
        caption=words.caption(
            f"{len(tune.trials)} settings tried",
            f"{tune.request.replications} replications a candidate",
            seed=tune.scenario.seed,
            source=tune.source,
        ),
        says=tune.scenario.description,
        sections=(_front(tune), _candidates(tune), _against(tune), _repeat(tune)),
    )


def _front(tune: Tune) -> Section:
    indices, latency = _objectives(tune)
    on_front = tune.front
    limit = words.limits(tune.scenario).get(latency)
    levels = _levels(tune)
    spots = []
    for trial in tune.trials:
        values = [value * level for value, level in zip(trial.outcome.objectives, levels, strict=True)]
        kind: Kind = "front" if trial.number in on_front else "tried" if trial.outcome.feasible else "missed"
        number = str(trial.number) if kind == "front" else ""
        spots.append(FrontSpot(cost=values[indices[COST]], seconds=values[indices[latency]], kind=kind, words=number))
    marked = [_marked(tune, tune.today, "today", star=False)]
    if not tune.stays:
        marked.append(_marked(tune, tune.chosen, "best", star=True))
    name = words.name_of(latency)

    def svg(width: int, height: int) -> str:
        return charts.svg(
            front(
                spots,
                marked,
                latency=name,
                limit_seconds=limit,
                limit_name=f"limit {words.value(latency, limit)}" if limit is not None else "",
                palette=charts.CSS,
                width=width,
                height=height,
            )
        )

    missed = sum(each.kind == "missed" for each in spots)
    caption = (
        "Large dots are on the front: no setting tried is better in cost, latency and freshness at once; their numbers "
        "are those of the table. Small dots are beaten, crosses miss an expectation. A dot is what the search saw, "
        "brought to the level at "
        "which today's setting lies in the mean; bars are 95 % intervals over the replications."
    )
    return Section(
        title="Front",
        figures=(
            PageFigure(
                caption=caption,
                alt=f"{tune.sentence} {len(on_front)} of {len(spots)} settings are on the front, {missed} miss an "
                "expectation.",
                wide=svg(560, 300),
                narrow=svg(230, 240),
                data=_csv(tune),
            ),
        ),
        tables=(_front_table(tune, levels),),
    )


def _front_table(tune: Tune, levels: list[float]) -> Table:
    """The settings on the front by cost, with the figures that the chart shows."""
    indices, _ = _objectives(tune)
    patience = tune.scenario.traffic.timeout_seconds
    on_front = set(tune.front)
    chosen = sorted(
        (each for each in tune.trials if each.number in on_front),
        key=lambda each: (each.outcome.objectives[indices[COST]], each.number),
    )
    rows = (
        row(
            str(each.number),
            *(value for _, value in each.settings),
            *(
                words.value(one.figure, value * level, patience_seconds=patience)
                for one, value, level in zip(tune.objectives, each.outcome.objectives, levels, strict=True)
            ),
        )
        for each in chosen
    )
    head = (
        "on the front",
        *(each.field for each in tune.request.dimensions),
        *(words.name_of(one.figure) for one in tune.objectives),
    )
    return Table.of(head, rows)


def _objectives(tune: Tune) -> tuple[dict[str, int], str]:
    """(position of each objective by its figure, the figure that is a latency)."""
    figures = [each.figure for each in tune.objectives]
    latency = next(figure for figure in figures if measure_of(figure).startswith("p"))
    return {figure: position for position, figure in enumerate(figures)}, latency


def _levels(tune: Tune) -> list[float]:
    """For each objective, today's mean over all replications over that of the search's few: the common effect of the
    search's seeds on all settings."""
    found = []
    for position in range(len(tune.objectives)):
        seen = [each.objectives[position] for each in tune.today.outcomes[: tune.request.search_replications]]
        searched = sum(seen) / len(seen)
        found.append(tune.today.mean(position).value / searched if searched > 0 else 1.0)
    return found


def _marked(tune: Tune, candidate: TriedSetting, name: str, *, star: bool) -> Marked:
    indices, latency = _objectives(tune)
    cost, seconds = candidate.mean(indices[COST]), candidate.mean(indices[latency])
    return Marked(
        name=name,
        cost=(cost.value, cost.low, cost.high),
        seconds=(seconds.value, max(seconds.low, 0.0), seconds.high),
        star=star,
    )


def _csv(tune: Tune) -> str:
    fields = [each.field for each in tune.request.dimensions]
    on_front = set(tune.front)
    rows = (
        (
            each.number,
            *(value for _, value in each.settings),
            *(f"{value:.6g}" for value in each.outcome.objectives),
            str(each.outcome.feasible).lower(),
            str(each.number in on_front).lower(),
        )
        for each in tune.trials
    )
    return csv_text(("trial", *fields, *(each.figure for each in tune.objectives), "feasible", "front"), rows)


def _candidates(tune: Tune) -> Section:
    rows, patience = [], tune.scenario.traffic.timeout_seconds
    for index, (each, ratio) in enumerate(zip(tune.candidates, tune.optimum.chosen_ratio, strict=True)):
        name = (
            "★\u00a0today"
            if tune.stays and index == 0
            else "★\u00a0best"
            if index == tune.optimum.best
            else "today"
            if index == 0
            else ""
        )
        rows.append(
            row(
                name,
                *(value for _, value in each.settings),
                "held" if each.feasible else "missed",
                f"{ratio * 100:.0f} %",
                *(
                    words.interval(one.figure, each.mean(position), patience_seconds=patience)
                    for position, one in enumerate(tune.objectives)
                ),
                mark="" if each.feasible else "missed",
            )
        )
    head = (
        "",
        *(each.field for each in tune.request.dimensions),
        "expectations",
        "would be the best in",
        *(words.name_of(one.figure) for one in tune.objectives),
    )
    weights = ", ".join(_powered(each) for each in tune.objectives if each.weight)
    return Section(
        title="Candidates",
        sentences=(
            f"The best is the one with the smallest product of {weights} among those that hold every expectation; "
            "freshness enters as 1 s + freshness, because readers notice no fraction of a second.",
            "The share says how often each would have been chosen had the replications been others (bootstrap); the "
            "interval of the optimum holds 95 % of these choices, and knows only values that were tried.",
        ),
        tables=(Table.of(head, rows, 1 + len(tune.request.dimensions)),),
    )


def _powered(objective: Objective) -> str:
    name = words.name_of(objective.figure)
    return name if objective.weight == 1 else f"{name}^{objective.weight:g}"


def _against(tune: Tune) -> Section:
    if not tune.differences:
        return Section(title="Against today's", sentences=("Today's setting is the best of those tried.",))
    rows = (
        row(
            tune.name if each.figure == PRODUCT else words.name_of(each.figure),
            "distinguishable" if each.distinguishable else "not distinguishable",
            factor(each) if each.figure == PRODUCT else words.change(each.figure, each.difference),
            f"{each.together:.2g}",
            mark="" if each.distinguishable else "faint",
        )
        for each in tune.differences
    )
    caption = (
        f"Best minus today's over {tune.request.replications} pairs of replications that had no part in choosing it, "
        "with 95 % intervals; verdicts by Holm's method over these lines together."
    )
    head = ("figure", "verdict", "difference", "p, Holm")
    return Section(title="Against today's", tables=(Table.of(head, rows, 1, caption=caption),))


def _repeat(tune: Tune) -> Section:
    return Section(
        title="Confirm on the real stack",
        commands=(f"windtunnel run {BEST_FILE}   # beside this page",),
        listings=(Listing(title=BEST_FILE, text=tune.best.text[:LISTING_MAX]),),
    )
