"""The one Locust user of each process: it walks the process's share of the schedule, with a greenlet per request.

Locust's users send one request after another, which hides every stall of the server (a closed model). So there is one
user, the dispatcher; Locust starts it, counts and shows its requests, and stops it.
"""

from __future__ import annotations

from typing import Any

from locust import User, task
from locust.exception import StopUser

from core.names import ERRORS, Outcome
from loadtest.dispatch import Listener

#: Attribute of Locust's environment that holds this run's `Runner`.
RUN_ATTRIBUTE = "windtunnel"


class RequestEnded(Exception):  # noqa: N818 - never raised: Locust takes failures as exceptions
    """The outcome of a request that failed: the text that Locust groups failures by."""


class Dispatcher(User):
    """Sends all traffic of its process."""

    _walked = False

    @task
    def walk(self) -> None:
        """Send everything once, then stop; Locust would start again, even after an exception."""
        if not self._walked:
            self._walked = True
            getattr(self.environment, RUN_ATTRIBUTE).walk()
        raise StopUser


def reports_to(environment: Any) -> Listener:
    """Reports each request to Locust, for its statistics, its web page and its CSV files."""
    fire = environment.events.request.fire
    endings = {outcome: RequestEnded(outcome.value) for outcome in ERRORS}

    def listen(operation: str, method: str, latency_seconds: float, size_bytes: int, outcome: Outcome) -> None:
        fire(
            request_type=method,
            name=operation,
            response_time=latency_seconds * 1e3,
            response_length=size_bytes,
            response=None,
            context={},
            exception=endings.get(outcome),
        )

    return listen
