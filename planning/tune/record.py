"""A tuning as plain data: its record, and a row for each trial."""

from __future__ import annotations

from typing import Any

from planning.studies.records import estimate_record
from planning.tune.pareto import front
from planning.tune.study import Tune


def rows(tune: Tune) -> list[dict[str, Any]]:
    """A row for each trial of the search."""
    on_front = set(front_numbers(tune))
    return [
        {
            "trial": each.number,
            **dict(each.settings),
            **{one.figure: value for one, value in zip(tune.objectives, each.outcome.objectives, strict=True)},
            "feasible": each.outcome.feasible,
            "front": each.number in on_front,
        }
        for each in tune.trials
    ]


def front_numbers(tune: Tune) -> tuple[int, ...]:
    """Trials that hold every expectation and that no other such trial beats in all objectives."""
    held = [each for each in tune.trials if each.outcome.feasible]
    return tuple(held[index].number for index in front([each.outcome.objectives for each in held]))


def record(tune: Tune) -> dict[str, Any]:
    """The tuning as JSON."""
    return {
        "scenario": tune.scenario.name,
        "seed": tune.scenario.seed,
        "commit": tune.commit,
        "engine": tune.engine,
        "calibration": tune.calibration,
        "sentence": tune.sentence,
        "varied": [each.written() for each in tune.request.dimensions],
        "objectives": [{"figure": each.figure, "weight": each.weight} for each in tune.objectives],
        "trials": len(tune.trials),
        "front": list(front_numbers(tune)),
        "replications": tune.request.replications,
        "best": dict(tune.chosen.settings),
        "today": dict(tune.today.settings),
        "optimum": [
            {"field": each.field, "best": each.best, "low": each.low, "high": each.high} for each in tune.optimum.spans
        ],
        "candidates": [
            {
                "settings": dict(each.settings),
                "feasible": each.feasible,
                "chosen_ratio": ratio,
                "figures": {
                    one.figure: estimate_record(each.mean(position)) for position, one in enumerate(tune.objectives)
                },
            }
            for each, ratio in zip(tune.candidates, tune.optimum.chosen_ratio, strict=True)
        ],
        "against_today": [
            {
                "figure": each.figure,
                "difference": each.difference.value,
                "low": each.difference.low,
                "high": each.difference.high,
                "p_holm": each.together,
                "distinguishable": each.distinguishable,
            }
            for each in tune.differences
        ],
    }
