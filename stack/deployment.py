"""Configuration files from `deploy/`, with the words between @ filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "deploy"
_WORD: Final = re.compile(r"@([A-Z_]+)@")


def filled(path: str, words: Mapping[str, object]) -> str:
    """The file ``path`` of `deploy/` with every ``@WORD@`` replaced; raises KeyError for a word without a value."""
    return _WORD.sub(lambda match: str(words[match[1]]), (FOLDER / path).read_text(encoding="utf-8"))
