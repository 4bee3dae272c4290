"""Calibration profiles: where they are kept, and which one a simulation uses.

`windtunnel calibrate` writes into the user's folder. One profile is shipped with the code for machines that were never
calibrated; its durations are those of another machine, and every output says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.profile import Profile, decode, encode
from records.provenance import ROOT

SHIPPED = ROOT / "scenarios" / "calibration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A profile and whether it was measured on this machine by this user."""

    profile: Profile
    path: Path
    own: bool


class NoProfileError(UserError):
    """No usable profile; the message says what to do."""


def own_folder() -> Path:
    """Where this user's profiles are."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "windtunnel" / "calibration"


def save(profile: Profile, folder: Path | None = None) -> Path:
    """Write a profile; returns its path."""
    folder = folder or own_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{profile.id}.json"
    path.write_bytes(encode(profile))
    return path


def choose(path: Path | None = None) -> Chosen:
    """Use the profile at ``path``, else this user's newest, else the shipped one; raises NoProfileError."""
    if path is not None:
        return Chosen(profile=_read(path), path=path, own=SHIPPED not in path.resolve().parents)
    for folder, own in ((own_folder(), True), (SHIPPED, False)):
        found = sorted(folder.glob("*.json"))
        if found:
            return Chosen(profile=_read(found[-1]), path=found[-1], own=own)
    raise NoProfileError("there is no calibration profile; make one with: windtunnel calibrate")


def shipped() -> Profile:
    """The newest profile that comes with the code."""
    return _read(max(SHIPPED.glob("*.json")))


def _read(path: Path) -> Profile:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise NoProfileError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise NoProfileError(f"{path}: {error}; make a new one with: windtunnel calibrate") from error
