"""Runs a study's simulations on a running Dask cluster (``dask scheduler``, ``dask worker``)."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any, Final, Self

from core.errors import UserError
from planning.simulations.runners import CONTINUE, Done, cannot, died
from planning.simulations.task import Setup, SimulationTask, code, work

_CONNECT_SECONDS: Final = 10.0
#: After this time without a result, check whether there are workers …
_ASK_SECONDS: Final = 5.0
#: … and give up after this time without any.
_ALONE_SECONDS: Final = 30.0
#: Tasks queued ahead for each thread, so that none is idle.
_AHEAD: Final = 2


class Cluster:
    """On the cluster of the scheduler at ``address``, such as ``tcp://127.0.0.1:8786``."""

    def __init__(self, address: str, *, connect_seconds: float = _CONNECT_SECONDS):
        self._address, self._connect_seconds = address, connect_seconds
        self._client: Any = None

    def __enter__(self) -> Self:
        import dask  # slow to import
        import distributed
        from distributed.comm.addressing import get_address_host_port

        client: Any = distributed.Client
        # also how long it tries to reach a scheduler that it has lost
        dask.config.set({"distributed.comm.timeouts.connect": self._connect_seconds})
        try:
            get_address_host_port(self._address)  # a client without an address ends only at its deadline
            self._client = client(self._address, timeout=self._connect_seconds, set_as_default=False)
            self._client.wait_for_workers(1, timeout=self._connect_seconds)
        except (OSError, TimeoutError, ValueError) as error:
            self.__exit__()
            raise UserError(
                f"no Dask cluster with workers answers at {self._address}: {error}; start one with: dask scheduler, "
                f"and dask worker {self._address}"
            ) from error
        self._same_code()
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close(timeout=self._connect_seconds)
            self._client = None

    def run(self, tasks: Sequence[SimulationTask], shared: Setup) -> Iterator[Done]:
        waiting = deque(tasks)
        running: dict[Any, SimulationTask] = {}
        alone_seconds = 0.0
        try:
            sent: Any = self._client.scatter(shared, broadcast=True) if tasks else None
            while waiting or running:
                while waiting and len(running) < _AHEAD * max(1, self._threads()):
                    task = waiting.popleft()
                    # not pure: a key that the cluster remembers as failed may be requested again
                    running[self._client.submit(work, task, sent, key=f"{task.key}-{id(task)}", pure=False)] = task
                finished = self._finished(list(running))  # the scheduler abandons a frozen worker in 5 minutes
                alone_seconds = 0.0 if finished or self._threads() else alone_seconds + _ASK_SECONDS
                if alone_seconds >= _ALONE_SECONDS:
                    raise self._gone()
                for future in finished:
                    task = running.pop(future)
                    yield task, self._result(future, task)
        except (OSError, CancelledError) as error:  # the client cancels what it waits for when it loses a part
            raise self._gone() if self._client.status == "running" and not self._threads() else self._lost() from error
        finally:
            with contextlib.suppress(OSError, TimeoutError, CancelledError):
                self._client.cancel(list(running))

    def _finished(self, futures: list[Any]) -> list[Any]:
        import distributed  # slow to import

        wait: Any = distributed.wait
        with contextlib.suppress(TimeoutError), self._client.as_current():
            return list(wait(futures, timeout=_ASK_SECONDS, return_when="FIRST_COMPLETED").done)
        return []

    def _result(self, future: Any, task: SimulationTask) -> Any:
        from distributed import KilledWorker  # slow to import

        try:
            return future.result()
        except KilledWorker as error:
            raise died(task) from error
        except ValueError as error:
            raise cannot(task, error) from error

    def _threads(self) -> int:
        """Threads of all workers; raises UserError if the scheduler does not answer."""
        try:
            return sum(self._client.nthreads(callback_timeout=_ALONE_SECONDS).values())
        except TimeoutError as error:
            raise self._lost() from error

    def _gone(self) -> UserError:
        return UserError(f"all workers of {self._address} are gone{CONTINUE}", exit_code=3)

    def _lost(self) -> UserError:
        return UserError(f"the scheduler at {self._address} does not answer any more{CONTINUE}", exit_code=3)

    def _same_code(self) -> None:
        """Refuse workers with other code, whose results would be stored under our keys."""
        ours = code()
        for address, theirs in self._client.run(code).items():
            if theirs != ours:
                self.__exit__()
                raise UserError(f"the worker at {address} runs another version of the code; install this one there")
