"""Fields that scenarios of older builds have, and why they are no more: they are read past, and told of by name
(`core.scenario.idle`), so that older files and run folders can still be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: Of `system.feed.deadlines`.
DEADLINES: Final = {
    "recommended": "recommendations are read from memory: nothing waits for them",
    "ads": "ads are read from memory: nothing waits for them",
}


def without(told: Any, retired: Mapping[str, str]) -> Any:
    """What a file says of a part of the scenario, without these fields."""
    if not isinstance(told, Mapping):
        return told
    return {name: value for name, value in told.items() if name not in retired}
