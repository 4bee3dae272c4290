"""Rate limits: a maximum number of requests in a window that begins with the first one; refused requests do not count.

The gateway keeps the same two numbers for each user or address in HAProxy's tables (`deploy/haproxy/gateway.cfg`),
where these rules cannot be called; `tests/stack/test_gateway_policies.py` checks it against them. Everything is plain
numbers, so that the model's compiled engine uses the same functions.
"""

from __future__ import annotations


def begins(now_seconds: float, began_seconds: float, window_seconds: float) -> bool:
    """Whether a request begins a new window, because the previous one has expired."""
    return now_seconds - began_seconds >= window_seconds


def passes(count: int, quota: int) -> bool:
    """Whether one more request passes in a window that has let ``count`` pass."""
    return count < quota
