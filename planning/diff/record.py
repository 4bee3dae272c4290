"""A diff on disk: its record as JSON and its page."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planning.diff.page import content
from planning.diff.study import Diff
from planning.simulations import files


def write(diff: Diff, folder: Path) -> None:
    files.write_study(folder, "diff", record=record(diff), report=content(diff))


def record(diff: Diff) -> dict[str, Any]:
    return {
        "first": diff.names[0],
        "second": diff.names[1],
        "seed": diff.first.seed,
        **asdict(diff.source),
        "replications": diff.replications,
        "correction": "holm",
        "family": diff.family,
        "enough": diff.enough,
        "sentence": diff.sentence,
        "settings": [{"field": field, "first": ours, "second": theirs} for field, ours, theirs in diff.settings],
        "figures": [
            {
                "figure": each.figure,
                "first": each.first,
                "second": each.second,
                "difference": each.difference.value,
                "low": each.difference.low,
                "high": each.difference.high,
                "pairs": each.pairs,
                "p": each.chance,
                "p_holm": each.together,
                "distinguishable": each.distinguishable,
                "saved_ratio": each.saved_ratio if math.isfinite(each.saved_ratio) else None,
            }
            for each in diff.differences
        ],
    }
