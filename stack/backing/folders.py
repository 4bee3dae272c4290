"""Folders and files of servers that run as their own user: who owns them, and whether that user can reach them."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from stack.failure import StackFailure


def own(path: Path, user: str) -> None:
    """Make ``user`` the owner of ``path``; does nothing if servers run as our own user (``user`` is empty)."""
    if user:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def make(path: Path, user: str) -> Path:
    """Create a folder for a server that runs as ``user``."""
    path.mkdir(parents=True, exist_ok=True)
    own(path, user)
    return path


def check_reach(path: Path, user: str) -> None:
    """Raise StackFailure when ``user`` cannot pass through the folders above ``path``, such as /root."""
    entry = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, entry.pw_gid))
    for folder in (path, *path.parents):
        if not folder.exists():
            continue
        status = folder.stat()
        if status.st_uid == entry.pw_uid:
            passes = status.st_mode & stat.S_IXUSR
        elif status.st_gid in groups:
            passes = status.st_mode & stat.S_IXGRP
        else:
            passes = status.st_mode & stat.S_IXOTH
        if not passes:
            raise StackFailure(
                f"a server must run as user {user}, who cannot enter {folder}",
                hint="use a data folder that other users can enter, such as --data /var/lib/windtunnel/NAME",
            )
