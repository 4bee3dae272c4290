"""Tables for the terminal: whole cells in 80 columns; what does not fit is named, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WIDTH: Final = 80
_GAP: Final = 2


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
