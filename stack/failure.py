"""Failures of a stack, each one line: what, where, and how to correct it.

A user must never see a stack trace for something that they can correct, so every such case is a `StackFailure`; any
other exception is a bug and crashes loudly.
"""

from __future__ import annotations


class StackFailure(Exception):  # noqa: N818 - a failure is expected; an error is a bug
    """The stack cannot do what it was asked; the text says which part and what to do about it."""

    def __init__(self, what: str, *, hint: str = ""):
        self.what = what
        self.hint = hint
        super().__init__(f"{what}: {hint}" if hint else what)


class NotReady(Exception):  # noqa: N818 - an answer, not an error: try again
    """A server does not answer yet; the text is its last answer."""
