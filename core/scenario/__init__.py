"""The scenario, the input of both sides: one file, read into frozen values."""

from core.scenario.faults import Fault
from core.scenario.model import Expectation, Scenario
from core.scenario.reader import FieldProblem, ScenarioError, explain, flat, notes, parse

__all__ = ["Expectation", "Fault", "FieldProblem", "Scenario", "ScenarioError", "explain", "flat", "notes", "parse"]
