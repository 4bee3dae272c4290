"""Small designs for the tests of the audit."""

from __future__ import annotations

from core.scenario.design import Design, StatedFigure
from planning.audit import Finding, audit


def design(inputs: dict[str, str], **figures: StatedFigure) -> Design:
    """A design with these inputs and stated figures."""
    return Design(title="a design for a test", inputs=inputs, stated=figures)


def stated(value: str, formula: str, *, covers: bool = False) -> StatedFigure:
    """A figure as published and what it follows from."""
    return StatedFigure(value=value, formula=formula, covers=covers)


def found(inputs: dict[str, str], value: str, formula: str) -> Finding:
    """The audit's finding about one figure."""
    return audit(design(inputs, figure=stated(value, formula)))[0]
