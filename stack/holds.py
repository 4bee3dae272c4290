"""Holds: a program that kills a process on purpose takes one, and the supervisor restarts it only once it is released.

A hold is an empty file in the data folder, so that it is removed with the stack and visible to everybody.
"""

from __future__ import annotations

from pathlib import Path


def hold(data: Path, name: str) -> None:
    """Do not restart the process ``name`` when it dies, from now on."""
    folder = data / "holds"
    folder.mkdir(exist_ok=True)
    (folder / name).touch()


def release(data: Path, name: str) -> None:
    """Start it again (within 0.1 s) if it is dead; does nothing if it was not held."""
    (data / "holds" / name).unlink(missing_ok=True)


def is_held(data: Path, name: str) -> bool:
    """Whether somebody holds it."""
    return (data / "holds" / name).exists()
