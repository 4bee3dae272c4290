"""Reports progress as JSON lines on stdout; the program that started this one draws the progress bar."""

from __future__ import annotations

import json
import sys
from typing import Any


def tell(phase: str, done: int, total: int, **values: Any) -> None:
    """Write one line; a closed pipe is not an error."""
    try:
        sys.stdout.write(json.dumps({"phase": phase, "done": done, "total": total, **values}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return


def complain(message: str) -> None:
    """Write an error for people on stderr."""
    sys.stderr.write(message.rstrip() + "\n")
    sys.stderr.flush()
