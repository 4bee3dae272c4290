"""Text for the terminal in 80 columns: tables, labelled lines and verdicts. What does not fit is named, never cut.

The few colours are ANSI codes, which `click.echo` removes if the output is not a terminal.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Final

import click

WIDTH: Final = 80
#: What held, what did not, and what was not judged.
MARKS: Final[Mapping[bool | None, str]] = {True: "✓", False: "✗", None: "·"}
_GAP: Final = 2
_LABEL: Final = 7
#: Least width of a column of remarks, and of the first column where long names get lines of their own.
_REMARK_MIN: Final = 24
_NAME_MIN: Final = 12
_WITH_UNIT: Final = re.compile(r"(\d) (%|ms\b|s\b)")


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1, remark: bool = False
) -> tuple[list[str], list[str]]:
    """Lines of a table, one for the head and one for each row, and the heads of the columns that did not fit.

    The first ``texts`` columns are set to the left and always shown, the others to the right. With ``remark`` the last
    column is text, which is wrapped. A name in the first column that leaves the others no room has a line of its own; a
    row's line then contains line breaks.
    """
    last = len(head) - remark
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(last)]
    room = WIDTH - _GAP * (last - 1)
    if remark:
        longest = max(len(row[-1]) for row in (head, *rows))
        room -= _GAP + min(longest, _REMARK_MIN)
    name_room = room - sum(widths[1:])
    if texts == 1 and _NAME_MIN <= name_room < widths[0]:
        widths[0] = name_room
    shown = last
    while shown > texts + 1 and sum(widths[:shown]) + _GAP * (shown - last) > room:
        shown -= 1
    return [_line(row, widths[:shown], texts, row[-1] if remark else "") for row in (head, *rows)], list(
        head[shown:last]
    )


def _line(row: Sequence[str], widths: Sequence[int], texts: int, remark: str) -> str:
    name = "" if len(row[0]) <= widths[0] else f"{row[0]}\n"
    cells = ["" if name else row[0], *row[1 : len(widths)]]
    line = (" " * _GAP).join(
        cell.ljust(width) if index < texts else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    if remark:
        line = "\n".join(wrapped(remark, first=line + " " * _GAP, rest=" " * (len(line) + _GAP)))
    return name + line.rstrip()


def ends(left: str, right: str) -> str:
    """Both on one line, at its left and right end."""
    room = WIDTH - len(left) - len(right)
    return f"{left}{' ' * room}{right}" if room >= 3 else f"{left}\n{right.rjust(WIDTH)}"


def closing(follow: str, exit_code: int) -> str:
    """The last line of a command: what to do next, and its exit code."""
    code = f"exit {exit_code}"
    return follow + code.rjust(max(len(code) + 2, WIDTH - len(follow)))


def wrapped(text: str, *, first: str = "", rest: str = "") -> list[str]:
    """Lines of a text, with indents; a figure keeps its unit."""
    lines = textwrap.wrap(
        _WITH_UNIT.sub("\\1\u00a0\\2", text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\u00a0", " ") for line in lines]


def labelled(label: str, text: str) -> list[str]:
    """Wrapped text beside its label."""
    return wrapped(text, first=f"{label:<{_LABEL}}", rest=" " * _LABEL)


def verdict(sentence: str, good: bool) -> str:
    """A wrapped sentence with its mark, highlighted if it is bad news."""
    return missed("\n".join(wrapped(f"{MARKS[good]} {sentence}", rest="  ")), not good)


def missed(text: str, is_missed: bool = True) -> str:
    """Text that is highlighted if something is missed."""
    return click.style(text, fg="bright_magenta", bold=True) if is_missed else text


def faint(text: str) -> str:
    return click.style(text, dim=True)
