"""What a report is made of: sections with sentences, tables and figures, in no form yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Mark = Literal["", "missed", "faint"]

#: Bytes of a table's or a listing's text; a report holds its size whatever happened in the run.
LISTING_MAX: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells of one line of a table, and whether it is to catch the eye or to stand back."""

    cells: tuple[str, ...]
    mark: Mark = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; the first column names things, the others hold figures unless ``texts`` says they are text."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    texts: frozenset[int] = frozenset({0})
    folded: bool = False  # wide detail that few will want


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFigure:
    """A chart as SVG, drawn for a wide page and, where that would be too small to read, for a narrow one."""

    caption: str
    alt: str
    wide: str
    narrow: str = ""
    half: bool = False  # two of them share a line
    data: str = ""  # what is drawn, as CSV


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Text as it is, folded away under a title."""

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
    """The whole: a verdict in a sentence, facts about the run, and sections; ``good`` is None where the sentence is no
    verdict."""

    title: str
    sentence: str
    good: bool | None
    caption: str
    says: str
    sections: tuple[Section, ...]

    @property
    def mark(self) -> str:
        """``✓ `` or ``✗ `` before the sentence; nothing where it is no verdict."""
        return {True: "✓ ", False: "✗ ", None: ""}[self.good]
