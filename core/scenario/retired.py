"""Fields of older scenarios that were removed or renamed. They are still read, so that older files and run folders can
be used, and are reported by name (`core.scenario.idle`, `core.scenario.reader.notes`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: Old name of a field and its new one. The old one is accepted until the next release.
RENAMED: Final = {"says": "description"}
#: Removed from `system.feed.deadlines`, and why.
DEADLINES: Final = {
    "recommended": "recommendations are read from memory: nothing waits for them",
    "ads": "ads are read from memory: nothing waits for them",
}


def without(data: Any, retired: Mapping[str, str]) -> Any:
    """A part of a scenario file without its retired fields."""
    if not isinstance(data, Mapping):
        return data
    return {name: value for name, value in data.items() if name not in retired}


def renamed(data: Any) -> Any:
    """A part of a scenario file with the new names of its renamed fields; one that has both names is left as it is."""
    if not isinstance(data, Mapping):
        return data
    return {
        RENAMED[name] if name in RENAMED and RENAMED[name] not in data else name: value for name, value in data.items()
    }
