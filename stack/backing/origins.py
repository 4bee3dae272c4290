"""Which pages of other origins may use the API (CORS), as rules of HAProxy."""

from __future__ import annotations

from typing import Final

from core.names import DEGRADED_HEADER, IDEMPOTENCY_HEADER, REPLAYED_HEADER, REQUEST_ID_HEADER

#: Headers that pages of other origins may send and read, besides those that browsers always allow.
_CROSS_SENT: Final = f"Authorization, Content-Type, {IDEMPOTENCY_HEADER}, If-None-Match, {REQUEST_ID_HEADER}"
_CROSS_READ: Final = (
    f"ETag, {REPLAYED_HEADER}, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-RateLimit-Limit,"
    f" X-RateLimit-Remaining, X-RateLimit-Reset, {DEGRADED_HEADER}, {REQUEST_ID_HEADER}"
)


def origins(allowed: tuple[str, ...]) -> str:
    """Rules for pages of other origins (CORS); none if no origin is allowed. Tokens are sent in a header, never in a
    cookie, so ``*`` is safe."""
    if not allowed:
        return ""
    every = "*" in allowed
    source, those = ("str(*)", "-m found") if every else ("req.hdr(Origin)", f"-m str {' '.join(allowed)}")
    lines = [
        f"http-request set-var(txn.origin) {source} if {{ req.hdr(Origin) {those} }}",
        "acl cross var(txn.origin) -m found",
        "http-after-response set-header Access-Control-Allow-Origin %[var(txn.origin)] if cross",
        f'http-after-response set-header Access-Control-Expose-Headers "{_CROSS_READ}" if cross',
    ]
    if not every:
        lines.append("http-after-response add-header Vary Origin")
    return "\n".join(f"    {line}" for line in lines)


def preflight(allowed: tuple[str, ...]) -> str:
    """Headers of the answer to ``OPTIONS`` for pages of other origins."""
    if not allowed:
        return ""
    return (
        'hdr Access-Control-Allow-Methods "%[var(txn.allowed)]"'
        f' hdr Access-Control-Allow-Headers "{_CROSS_SENT}" hdr Access-Control-Max-Age 600'
    )
