"""Black-box traffic over HTTP: `python -m loadtest.seed` makes the people, `python -m loadtest.drive` the traffic.

It knows the system only by its public API. Locust and gevent are imported here alone, always in a process of its own.
"""
