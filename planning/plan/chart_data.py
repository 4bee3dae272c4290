"""The data of a chart as CSV, and how wide charts of a plan are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

WIDE: Final = 540
NARROW: Final = 240


def text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under their head."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()
