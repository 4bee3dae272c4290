"""A parsed design: quantities with units, formulas as trees, figures sorted after what they depend on."""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from core.scenario.design import Design, StatedFigure
from planning.audit import amounts, expression
from planning.audit.amounts import Amount, Unit
from planning.audit.expression import Term
from planning.audit.flaws import DesignError, FieldPath, Flaw, UnreadableError
from planning.audit.units import TIMES, Units, units_of

_RESERVED = frozenset({*TIMES, "min", "max"})
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetEntry:
    """A parsed figure. It has a unit if it can be shown and a term if it can be computed."""

    name: str
    says: str
    formula: str
    because: str
    explained: str  # by the file: why it differs, if it does
    covers: bool
    stated: Amount | None
    unit: Unit | None
    term: Term | None

    @property
    def rests_on(self) -> frozenset[str]:
        """Names in its formula."""
        return expression.names(self.term) if self.term is not None else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The whole design. ``order`` names the figures so that each comes after those in its formula."""

    units: Units
    given: Mapping[str, Amount]  # inputs and assumed inputs
    assumed: frozenset[str]
    entries: Mapping[str, SheetEntry]  # in the order of the design
    order: tuple[str, ...]
    below: Mapping[str, frozenset[str]]  # all that a figure depends on, directly or not


def read(design: Design) -> Sheet:
    """Parse a design; raises DesignError with all errors."""
    reader = _Reader(units_of(design.counts))
    given: dict[str, Amount] = {}
    for section, quantities in (("inputs", design.inputs), ("assumed", design.assumed)):
        for name, text in quantities.items():
            path: FieldPath = ("design", section, name)
            reader.refuse_name(path, name, design.inputs if section == "assumed" else {})
            amount = reader.take(path, text, amounts.read)
            if amount is not None:
                given[name] = amount
    known = frozenset({*design.inputs, *design.assumed, *design.stated, *TIMES})
    entries = {}
    for name, figure in design.stated.items():
        path = ("design", "stated", name)
        reader.refuse_name(path, name, {**design.inputs, **design.assumed})
        term = None
        if figure.formula is not None:
            term = reader.take((*path, "from"), figure.formula, lambda text, _: expression.parse(text))
            reader.refuse_unknown((*path, "from"), figure.formula, term, known)
        stated = reader.take((*path, "value"), figure.value, amounts.read) if figure.value is not None else None
        unit = reader.take((*path, "unit"), figure.unit, amounts.read_unit) if figure.unit is not None else None
        if figure.value is None and (figure.unit is None or figure.formula is None):
            reader.flaws.append(
                Flaw(
                    path=path, found="no value", expected="expected a value as published, or from and unit without one"
                )
            )
        entries[name] = SheetEntry(
            name=name,
            says=figure.description,
            formula=figure.formula or "",
            because=figure.because or _why_not(figure, design),
            explained=figure.because,
            covers=figure.covers,
            stated=stated,
            unit=stated.unit if unit is None and stated is not None else unit,
            term=term,
        )
    order = reader.order(entries)
    if reader.flaws:
        raise DesignError(tuple(reader.flaws))
    below: dict[str, frozenset[str]] = {}
    for name in order:
        direct = entries[name].rests_on
        below[name] = direct.union(*(below[each] for each in direct if each in below))
    return Sheet(
        units=reader.units,
        given=given,
        assumed=frozenset(design.assumed),
        entries=entries,
        order=order,
        below=below,
    )


def _why_not(figure: StatedFigure, design: Design) -> str:
    if figure.value is None:
        return design.because or "the design states no figure"
    return "the design does not say what it follows from"


class _Reader:
    """Continues after an error, so that all errors are reported at once."""

    def __init__(self, units: Units):
        self.units = units
        self.flaws: list[Flaw] = []

    def take(self, path: FieldPath, text: str, read: Callable[[str, Units], _Read]) -> _Read | None:
        try:
            return read(text, self.units)
        except UnreadableError as error:
            self.flaws.append(Flaw(path=path, found=repr(text), expected=str(error)))
            return None

    def refuse_name(self, path: FieldPath, name: str, others: Mapping[str, object]) -> None:
        if name in _RESERVED:
            self.flaws.append(Flaw(path=path, found=repr(name), expected="expected another name, this one is taken"))
        elif name in others:
            self.flaws.append(Flaw(path=path, found=repr(name), expected="expected a name that stands once"))

    def refuse_unknown(self, path: FieldPath, text: str, term: Term | None, known: frozenset[str]) -> None:
        for name in sorted(expression.names(term) - known) if term is not None else ():
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            expected = f"expected names of inputs or figures, {name} is none{hint}"
            self.flaws.append(Flaw(path=path, found=repr(text), expected=expected))

    def order(self, entries: Mapping[str, SheetEntry]) -> tuple[str, ...]:
        graph = {name: sorted(entry.rests_on & entries.keys()) for name, entry in entries.items()}
        try:
            return tuple(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as error:
            circle = [str(name) for name in reversed(error.args[1])]
            self.flaws.append(
                Flaw(
                    path=("design", "stated", circle[0], "from"),
                    found=repr(entries[circle[0]].formula),
                    expected=f"expected no circle: {' → '.join(circle)}",
                )
            )
            return ()
