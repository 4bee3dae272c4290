"""Password hashes (Argon2id, 19 MiB, two passes: OWASP's minimum), in threads of their own, with a bounded queue.

A hash deliberately takes about 20 ms of a core. So that a burst of logins does not slow other requests, including those
to other components in this process, at most half of the cores work on hashes, at a lower priority; clients take turns,
and a hash that would have to wait too long is refused at once. The library releases the GIL.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core import niceness
from core.policies.logins import WAITING_EACH_MAX, WAITING_MAX, workers
from services.kit.threads import nicer_threads
from services.kit.turns import Turns

R = TypeVar("R")
_HASH_SECONDS: Final = 0.02


class Passwords:
    """Makes and checks hashes for clients by address; both raise Overloaded when too many wait, in total or of one."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        at_once = workers(len(os.sched_getaffinity(0)))
        self._threads = nicer_threads(at_once, name="argon2", by=niceness.PASSWORDS)
        self._turns = Turns(
            at_once=at_once,
            waiting_max=WAITING_MAX,
            waiting_each_max=WAITING_EACH_MAX,
            seconds_each=_HASH_SECONDS,
        )
        self._nobody = self._hasher.hash("nobody's password")

    async def hash(self, password: str, *, client: str) -> str:
        """The hash to store."""
        return await self._run(lambda: self._hasher.hash(password), client)

    async def matches(self, stored: str | None, password: str, *, client: str) -> bool:
        """Whether ``password`` is the one behind ``stored``; None takes as long, so that no one learns who exists."""

        def check() -> bool:
            try:
                return self._hasher.verify(stored or self._nobody, password) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

        return await self._run(check, client)

    async def _run(self, act: Callable[[], R], client: str) -> R:
        async with self._turns.turn(client):
            return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    def close(self) -> None:
        """Shut down the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
