"""How the classes of a scenario are read and written: no units in names in the file, no unknown fields."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import ConfigDict, Field

_UNITS: Final = re.compile(r"_(seconds|bytes|ratio|per_second)$")


def written_name(attribute: str) -> str:
    """Name of a field in the file: without the unit, which the value carries."""
    return _UNITS.sub("", attribute)


CONFIG: Final = ConfigDict(extra="forbid", alias_generator=written_name, populate_by_name=True, allow_inf_nan=False)

Count = Annotated[int, Field(ge=1)]
#: Instances or machines of one kind in one system; a larger fleet is split into cells.
Instances = Annotated[int, Field(ge=1, le=5_000)]
