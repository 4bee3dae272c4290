"""Reads the scenario that a command names and reports what is wrong with it as one readable error."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.profile import Profile
from core.scenario import Scenario
from records.scenarios import load


def load_for_stack(path: Path) -> tuple[Scenario, str]:
    """Load a scenario that the real stack can run; raises UserError for one that only the model can run."""
    scenario, text = load(path)
    check_for_stack(path, scenario)
    return scenario, text


def check_for_stack(path: Path, scenario: Scenario) -> None:
    """Raise UserError for a scenario that only the model can run, naming each field and the command to use."""
    from stack import unsupported  # a command that only reads a scenario needs no stack

    parts = unsupported.parts(scenario)
    if parts:
        raise UserError(
            f"{path} asks for {_listed(parts)}, which the stack cannot start yet; the model can: "
            f"windtunnel simulate {path}"
        )


def check_for_run(path: Path, scenario: Scenario, profile: Profile) -> None:
    """Raise UserError for a scenario that only the model can run, or whose traffic or faults would be refused only
    after the stack has been started."""
    from loadtest import plan  # a command that only reads a scenario needs no model
    from sim.model.cpu import NoDemandError
    from sim.model.faults import FaultError
    from sim.model.prepared import ScaleError
    from sim.simulate import check

    check_for_stack(path, scenario)
    try:
        plan.make_plan(scenario)
    except plan.LoadPlanError as error:
        raise UserError(
            f"{path}: the load generator cannot send this traffic: {error}; the model can: windtunnel simulate {path}"
        ) from error
    try:
        check(scenario, profile)
    except (FaultError, ScaleError, NoDemandError) as error:
        raise UserError(f"{scenario.name}: {error}") from error


def _listed(parts: tuple[str, ...]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
