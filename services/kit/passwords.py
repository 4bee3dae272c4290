"""Password hashes (Argon2id, 19 MiB, two passes: OWASP's minimum), in threads, with a bounded queue.

A hash takes about 20 ms of a core by intent, so a burst of logins must be refused rather than pile up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.failures import Overloaded

R = TypeVar("R")
_THREADS: Final = 2
_WAITING_MAX: Final = 64


class Passwords:
    """Makes and checks hashes; both raise Overloaded when too many wait."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one behind ``stored``; None takes as long, so that no one learns who exists."""

        def check() -> bool:
            try:
                return self._hasher.verify(stored or self._nobody, password) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

        return await self._run(check)

    async def _run(self, act: Callable[[], R]) -> R:
        if self._waiting >= _WAITING_MAX:
            raise Overloaded("Too many people sign in at once", retry_after_seconds=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, act)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
