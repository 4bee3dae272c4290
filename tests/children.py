"""Child processes of tests end with them, even when pytest is killed and no fixture is torn down."""

from __future__ import annotations

from typing import Final

#: Before a command: the kernel kills it when the thread that started it ends. The process id stays the same.
WITH_US: Final = ("setpriv", "--pdeathsig", "KILL")
