"""Tables for the terminal: whole cells in 80 columns; what does not fit is named, never cut."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Final

WIDTH: Final = 80
_GAP: Final = 2
_LABEL: Final = 7
_WITH_UNIT: Final = re.compile(r"(\d) (%|ms\b|s\b)")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> tuple[list[str], list[str]]:
    """Lines of a table, and the heads of the columns that found no room. The first ``texts`` columns are set to the
    left and always shown, the others to the right."""
    columns = [[name, *(row[index] for row in rows)] for index, name in enumerate(head)]
    widths = [max(len(cell) for cell in column) for column in columns]
    shown, used = list(range(texts)), sum(widths[:texts]) + _GAP * max(0, texts - 1)
    for index in range(texts, len(head)):
        if used + _GAP + widths[index] > WIDTH and len(shown) > texts:
            break
        shown.append(index)
        used += _GAP + widths[index]
    lines = []
    for place in range(len(rows) + 1):
        cells = [
            columns[index][place].ljust(widths[index]) if index < texts else columns[index][place].rjust(widths[index])
            for index in shown
        ]
        lines.append((" " * _GAP).join(cells).rstrip())
    return lines, [head[index] for index in range(len(head)) if index not in shown]


def ends(left: str, right: str) -> str:
    """Both on one line, as far apart as it is wide."""
    room = WIDTH - len(left) - len(right)
    return f"{left}{' ' * room}{right}" if room >= 3 else f"{left}\n{right.rjust(WIDTH)}"


def labelled(label: str, text: str) -> list[str]:
    """Wrapped text beside its label; a figure keeps its unit."""
    whole = _WITH_UNIT.sub("\\1\u00a0\\2", text)
    wrapped = textwrap.wrap(whole, WIDTH - _LABEL, break_long_words=False, break_on_hyphens=False)
    lines = [line.replace("\u00a0", " ") for line in wrapped]
    return [f"{label if number == 0 else '':<{_LABEL}}{line}" for number, line in enumerate(lines)]
