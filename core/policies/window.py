"""Rate limits: a maximum number of requests in a window that begins with the first one; refused requests do not count.

The gateway keeps the same two numbers of each user or address in HAProxy's tables (`deploy/haproxy/gateway.cfg`), where
these rules cannot be called; `tests/stack/test_gateway_policies.py` holds the gateway to them. Everything is plain
numbers, so that the model's compiled engine compiles these very lines.
"""

from __future__ import annotations


def begins(now_seconds: float, began_seconds: float, window_seconds: float) -> bool:
    """Whether a request opens a new window, the one before it having lasted its time."""
    return now_seconds - began_seconds >= window_seconds


def passes(count: int, quota: int) -> bool:
    """Whether one more request passes in a window that has let ``count`` pass."""
    return count < quota
