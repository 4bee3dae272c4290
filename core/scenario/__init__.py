"""The input of everything: one file, read into frozen values."""

from core.scenario.model import Expectation, Fault, Scenario
from core.scenario.reader import Problem, ScenarioError, explain, parse, read

__all__ = ["Expectation", "Fault", "Problem", "Scenario", "ScenarioError", "explain", "parse", "read"]
