"""Writes a report into a file, as a page or as Markdown by the file's name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.errors import UserError
from present import markdown, page
from present.parts import Report

FORMS: Final = {".html": page.render, ".md": markdown.render}


def check(path: Path) -> None:
    """Raise UserError for another kind of file, or one whose folder does not exist: before a report is worked out."""
    if path.suffix not in FORMS:
        raise UserError(f"{path}: expected a name that ends in {' or '.join(FORMS)}")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")


def write(report: Report, path: Path) -> None:
    """Write a report; raises UserError for another kind of file or one that cannot be written."""
    check(path)
    form = FORMS[path.suffix]
    try:
        path.write_text(form(report), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; choose another --out") from error
