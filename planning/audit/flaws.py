"""Errors that make a design impossible to audit, reported all at once with their places in the file."""

from __future__ import annotations

from dataclasses import dataclass

FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One entry that cannot be used."""

    path: FieldPath
    found: str
    expected: str


class DesignError(ValueError):
    """A design that cannot be audited; ``flaws`` are in the order of the file."""

    def __init__(self, flaws: tuple[Flaw, ...]):
        self.flaws = flaws
        super().__init__("; ".join(f"{'.'.join(map(str, each.path))}: {each.expected}" for each in flaws))


class UnreadableError(ValueError):
    """A text that is neither a quantity nor a formula; the message says what was expected."""
