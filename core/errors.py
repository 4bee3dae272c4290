"""What the user can mend: told as one readable error, never as a stack trace."""

from __future__ import annotations


class UserError(Exception):
    """What, where, remedy. Ends the command with ``exit_code``."""

    def __init__(self, message: str, *, exit_code: int = 2):
        super().__init__(message)
        self.exit_code = exit_code
