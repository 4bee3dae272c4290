"""HAProxy as the gateway (being written)."""

from __future__ import annotations

from stack.command import Command
from stack.plan import Process, StackPlan


def prepare(plan: StackPlan, process: Process) -> Command:
    raise NotImplementedError


def ready(_plan: StackPlan, process: Process) -> None:
    raise NotImplementedError


def settle(_plan: StackPlan, process: Process) -> None:
    raise NotImplementedError
