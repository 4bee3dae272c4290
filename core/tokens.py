"""The claims of an access token, which auth issues and the gateway verifies."""

from __future__ import annotations

from typing import Any, Final

ISSUER: Final = "windtunnel"
TOKEN_SECONDS: Final = 3600  # how long a token is valid
CLOCK_SECONDS: Final = 60  # by which the clocks of issuer and verifier may differ


def claims(*, user_id: int, now_seconds: int) -> dict[str, Any]:
    """The claims of ``user_id``'s token (RFC 7519); times are whole Unix seconds."""
    return {"iss": ISSUER, "sub": str(user_id), "iat": now_seconds, "exp": now_seconds + TOKEN_SECONDS}
