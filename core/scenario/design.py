"""A published design as its authors state it: its inputs, and the figures that they derive from them.

Quantities stay text, as in the file (``500 M posts/day``, ``$0.02/GB``): the number of digits of a figure is part of
its statement, and `core` knows no units of money or of counted things. `planning.audit` reads them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from core.scenario.fields import CONFIG
from core.scenario.retired import renamed

ENTRIES_MAX: Final = 200
FORMULA_MAX: Final = 300


def _written(value: object) -> object:
    # a number without a unit, such as a peak factor, needs no quotes in the file
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Quantity = Annotated[str, BeforeValidator(_written), Field(min_length=1, max_length=80)]
Formula = Annotated[str, BeforeValidator(_written), Field(min_length=1, max_length=FORMULA_MAX)]
Words = Annotated[str, Field(max_length=400)]


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class StatedFigure:
    """One figure that a design states. Without ``value`` the design states none, and ``unit`` says how to show it."""

    value: Quantity | None = None  # as published
    unit: Words | None = None  # empty: a plain number
    description: Words = ""
    formula: Formula | None = Field(default=None, alias="from")  # of inputs and of other figures
    covers: bool = False  # a capacity: at least what the formula gives; more is not a mistake
    because: Words = ""  # why it cannot be checked, or why it differs

    @model_validator(mode="before")
    @classmethod
    def _with_new_names(cls, data: Any) -> Any:
        """The same with the new names of `retired.RENAMED`."""
        return renamed(data)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Design:
    """A published design. ``assumed`` are inputs that it does not state itself; ``counts`` are names of counted things
    beyond the known ones (people, posts, requests …)."""

    title: Words
    source: Words = ""
    counts: tuple[Name, ...] = ()
    inputs: dict[Name, Quantity] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    assumed: dict[Name, Quantity] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    because: Words = ""  # why figures without a value have none
    stated: dict[Name, StatedFigure] = Field(default_factory=dict, max_length=ENTRIES_MAX)
