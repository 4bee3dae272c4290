"""Becomes another process: sets what must be set between fork and exec, then is replaced by the server.

Python's own ``preexec_fn`` is not safe with threads, which the supervisor has; so a child of ours runs this module
first (isolated, without site: 10 ms). It asks the kernel to kill it when its parent dies. That is set after the
change of user, which would clear it, and the parent is checked again, because it may have died in between.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import resource
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_GROUP_TRIES = 100  # without CAP_SYS_ADMIN the kernel accepts one change of a group in 0.1 s, of the whole machine
_GROUP_PAUSE_SECONDS = 0.02


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends; exits at once if it is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)


def be_nicer(by: int) -> None:
    """Raise our niceness, and that of our session's automatic group: where there are groups, weights are theirs.

    The group is new, so its own niceness is 0, whatever ours was.
    """
    os.nice(by)
    for _ in range(_GROUP_TRIES):
        try:
            with open("/proc/self/autogroup", "w") as group:  # noqa: PTH123 - pathlib takes longer than all the rest
                group.write(str(by))
        except BlockingIOError:
            time.sleep(_GROUP_PAUSE_SECONDS)
        except OSError:  # a kernel without groups
            return
        else:
            return


def main() -> None:
    """Read one JSON object from the arguments and exec its ``argv``."""
    launch = json.loads(sys.argv[1])
    os.chdir(launch["cwd"])
    if launch["cores"]:
        usable = set(launch["cores"]) & os.sched_getaffinity(0)
        if usable:
            os.sched_setaffinity(0, usable)
    if launch["idle"]:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if launch["niceness"]:
        be_nicer(launch["niceness"])
    if launch["data_bytes"]:
        resource.setrlimit(resource.RLIMIT_DATA, (launch["data_bytes"], launch["data_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if launch["user"] and os.geteuid() == 0:
        account = pwd.getpwnam(launch["user"])
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    die_with_parent(launch["parent"])
    os.execv(launch["argv"][0], launch["argv"])


if __name__ == "__main__":
    main()
