"""The Locust load shape of a run: one dispatcher in each process until every process has sent its share.

The rate is not Locust's business: it is in the schedule.
"""

from __future__ import annotations

from locust import LoadTestShape

from loadtest.users import RUN_ATTRIBUTE


class OneEach(LoadTestShape):
    """As many users as there are processes; ends when all are done."""

    def tick(self) -> tuple[int, float] | None:
        """Users and spawn rate now, or None to end the test; Locust asks once a second."""
        runner = self.runner
        if runner is None:
            return None
        sharing = getattr(runner.environment, RUN_ATTRIBUTE)
        if sharing.failure or sharing.workers_done:
            return None
        # never fewer because one was lost: Locust would start users elsewhere instead
        processes = sharing.process_count
        return processes, float(processes)
