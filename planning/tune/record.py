"""A tuning on disk: its record as JSON, a row for each trial, the best scenario and its page."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planning.simulations import files
from planning.studies.records import estimate_record
from planning.tune.page import content
from planning.tune.study import BEST_FILE, Tune
from present.tables import WIDTH


def write(tune: Tune, folder: Path) -> None:
    files.write_study(folder, "tune", record=record(tune), report=content(tune))
    files.write_rows(folder, "trials", rows(tune))
    said = "".join(f"# {line}\n" for line in textwrap.wrap(tune.sentence, WIDTH - 2))
    files.write_text(folder / BEST_FILE, f"{said}{tune.best.text}")


def rows(tune: Tune) -> list[dict[str, Any]]:
    on_front = set(tune.front)
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


def record(tune: Tune) -> dict[str, Any]:
    return {
        "scenario": tune.scenario.name,
        "seed": tune.scenario.seed,
        **asdict(tune.source),
        "sentence": tune.sentence,
        "varied": [each.written() for each in tune.request.dimensions],
        "not_acting": [each.written() for each in tune.idle],
        "objectives": [{"figure": each.figure, "weight": each.weight} for each in tune.objectives],
        "trials": len(tune.trials),
        "front": list(tune.front),
        "replications": tune.request.replications,
        "best": dict(tune.chosen.settings),
        "today": dict(tune.today.settings),
        "optimum": [asdict(each) for each in tune.optimum.spans],
        "candidates": [
            {
                "settings": dict(each.settings),
                "feasible": each.feasible,
                "chosen_ratio": ratio,
                "ties_with_best": each in tune.ties,
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
