"""Reads scenario files; all errors in a file are reported together in readable form."""

from __future__ import annotations

from pathlib import Path

import click

from core.errors import UserError
from core.scenario import FieldProblem, Scenario, ScenarioError, notes, parse


def read(path: Path) -> Scenario:
    """The scenario at ``path``; raises ScenarioError, or OSError if there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = FieldProblem(
            file=str(path), line=1, field="", found="bytes that are not text", expected="expected text in UTF-8"
        )
        raise ScenarioError((problem,)) from error
    return parse(text, file=str(path))


def load(path: Path) -> tuple[Scenario, str]:
    """The scenario and its exact text; says which of its fields have no effect. Raises UserError."""
    try:
        scenario, text = read(path), path.read_text(encoding="utf-8")
    except ScenarioError as error:
        count = error.count
        head = f"{path} cannot be used, {count:,} field{'s are' if count > 1 else ' is'} wrong:"
        raise UserError("\n  ".join([head, *error.lines])) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{path}: {reason}; scenarios that come with windtunnel are in scenarios/") from error
    for note in notes(scenario, text, file=str(path)):
        click.echo(f"note: {note}", err=True)
    return scenario, text
