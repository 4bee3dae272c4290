"""Brings a stack up and down for the commands, with progress and readable errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import UserError
from present.progress import task
from stack import autogroup, control, guard, processes


def data_folder(given: Path | None, name: str = "default") -> Path:
    """The folder of a stack: the one that the user named, or the default."""
    return (given or control.default_data(name)).absolute()


def start(scenario_path: Path, data: Path, *, attached: bool, wipe: bool = False) -> control.RunningStack:
    """Start the stack of a scenario; raises UserError."""
    ready: list[str] = []
    total = 0

    with task("stack up") as report:

        def progress(event: dict[str, Any]) -> None:
            nonlocal total
            if event["event"] == "starting":
                total += 1
            elif event["event"] == "ready":
                ready.append(str(event["name"]))
            report(len(ready), max(total, 1), str(event.get("name", "")))

        try:
            return control.up(scenario_path, data, attached=attached, wipe=wipe, progress=progress)
        except control.StackFailure as failure:
            raise UserError(str(failure)) from failure


@contextmanager
def running(scenario_path: Path, data: Path, *, wipe: bool) -> Iterator[control.RunningStack]:
    """A stack for the length of the block; it dies with this process, however that ends.

    ``wipe`` starts with an empty folder and removes it at the end.
    """
    if wipe:
        _wipe(data)
    with autogroup.off():
        stack = start(scenario_path, data, attached=True, wipe=wipe)
        try:
            yield stack
        finally:
            with control.undisturbed():  # a second Ctrl-C must not leave part of it behind
                stack.stop(wipe=wipe)


def _wipe(data: Path) -> None:
    try:
        control.read(data)
    except control.StackFailure:
        control.down(data, wipe=True)
        return
    raise UserError(f"a stack runs in {data}; stop it with: windtunnel down --data {data}")


@contextmanager
def on_every_core(stack: control.RunningStack) -> Iterator[None]:
    """Let the stack use all cores for the length of the block, for work that is not measured, such as seeding."""
    pids = [pid for root in stack.processes.values() for pid in guard.family(root)]
    processes.pin(pids, tuple(sorted(os.sched_getaffinity(0))))
    try:
        yield
    finally:
        pids = [pid for root in stack.processes.values() for pid in guard.family(root)]
        processes.pin(pids, stack.cores)
