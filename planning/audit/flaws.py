"""What makes a design impossible to audit: told all at once, each with its place in the file."""

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
    """A design that cannot be audited, for what stands in it; ``flaws`` are in its order."""

    def __init__(self, flaws: tuple[Flaw, ...]):
        self.flaws = flaws
        super().__init__("; ".join(f"{'.'.join(map(str, each.path))}: {each.expected}" for each in flaws))


class UnreadableError(ValueError):
    """A text that is no quantity or no formula; the message says what was expected."""
