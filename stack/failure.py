"""Failures of a stack, each one line: what, where, and how to mend it.

A user must never see a stack trace for something that they can correct, so every such case is a `StackFailure`; any
other exception is a bug and crashes loudly.
"""

from __future__ import annotations


class StackFailure(Exception):  # noqa: N818 - the house calls what is seen a failure; an error is a bug
    """The stack cannot do what it was asked; the text says which part and what to do about it."""

    def __init__(self, what: str, *, mend: str = ""):
        self.what = what
        self.mend = mend
        super().__init__(f"{what}: {mend}" if mend else what)


class NotReady(Exception):  # noqa: N818 - an answer, not an error: ask again
    """A server does not answer yet; the text is its last answer."""
