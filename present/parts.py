"""The parts of a report, independent of its form: sections with sentences, tables and figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Mark = Literal["", "missed", "faint"]

#: Bytes of text of a table or listing at most, which bounds the size of a report.
LISTING_MAX: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells of one row of a table, and whether the row is emphasised or faint."""

    cells: tuple[str, ...]
    mark: Mark = ""


def row(*cells: str, mark: Mark = "") -> Row:
    """A row of these cells."""
    return Row(cells=cells, mark=mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; the first column holds names, the others hold figures except those in ``texts``."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    texts: frozenset[int] = frozenset({0})
    folded: bool = False  # wide detail that few will want

    @classmethod
    def of(
        cls, head: Sequence[str], rows: Iterable[Row], *texts: int, caption: str = "", folded: bool = False
    ) -> Table:
        """A table of these rows; ``texts`` are columns of text beside the first."""
        return cls(head=tuple(head), rows=tuple(rows), texts=frozenset({0, *texts}), caption=caption, folded=folded)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigure:
    """A chart as SVG, drawn for a wide and for a narrow page."""

    caption: str
    alt: str
    wide: str
    narrow: str = ""
    half: bool = False  # two of them share a line
    data: str = ""  # what is drawn, as CSV


def csv_text(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Rows under their head as CSV, for `PageFigure.data`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Preformatted text, folded under a title."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report under one heading."""

    title: str
    sentences: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[PageFigure, ...] = ()
    listings: tuple[Listing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report: a verdict in a sentence, facts about the run, and sections; ``good`` is None if the sentence is no
    verdict."""

    title: str
    sentence: str
    good: bool | None
    caption: str
    says: str
    sections: tuple[Section, ...]

    @property
    def mark(self) -> str:
        """``✓ `` or ``✗ `` before the sentence; empty if it is no verdict."""
        return {True: "✓ ", False: "✗ ", None: ""}[self.good]
