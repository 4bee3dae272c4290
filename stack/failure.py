"""Failures of a stack, each one line: what, where, and how to mend it.

A person who starts a stack must never meet a stack trace for something that they can mend, so every such case is a
`StackFailure`; anything else that is raised is a bug of ours and crashes loudly.
"""

from __future__ import annotations


class StackFailure(Exception):  # noqa: N818 - the house calls what is seen a failure; an error is a bug
    """The stack cannot do what it was asked; the text says which part and what to do about it."""

    def __init__(self, what: str, *, mend: str = ""):
        self.what = what
        self.mend = mend
        super().__init__(f"{what}: {mend}" if mend else what)


class NotReady(Exception):  # noqa: N818 - an answer, not an error: ask again
    """A server does not answer yet; the text is what it said last."""
