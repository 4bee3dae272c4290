"""Errors that the user can correct: shown as one readable message, never as a stack trace."""

from __future__ import annotations


class UserError(Exception):
    """The message says what is wrong, where, and what to do. Ends the command with ``exit_code``."""

    def __init__(self, message: str, *, exit_code: int = 2):
        super().__init__(message)
        self.exit_code = exit_code
