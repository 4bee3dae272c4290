"""``python -m stack.install [--group GROUP]…``: installs what is missing."""

from __future__ import annotations

import argparse
import sys

from stack.failure import StackFailure
from stack.install import GROUPS, ensure, steps


def main() -> int:
    """Install; returns 0, or 2 after one readable error."""
    parser = argparse.ArgumentParser(prog="python -m stack.install", description=__doc__)
    parser.add_argument("--group", action="append", default=[], choices=GROUPS, help="install this group's needs too")
    options = parser.parse_args()
    try:
        ensure(tuple(dict.fromkeys(("run", *options.group))))
    except StackFailure as failure:
        steps.say(f"error: {failure}")
        return 2
    return 0


sys.exit(main())
