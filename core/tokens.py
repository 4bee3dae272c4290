"""What an access token says: auth issues it, the gateway verifies it, and both take the terms from here."""

from __future__ import annotations

from typing import Any, Final

ISSUER: Final = "windtunnel"
TOKEN_SECONDS: Final = 3600  # how long a token is valid
CLOCK_SECONDS: Final = 60  # how far the clocks of who issues and who verifies may differ


def claims(*, user_id: int, now_seconds: int) -> dict[str, Any]:
    """The claims of ``user_id``'s token (RFC 7519); times are whole Unix seconds."""
    return {"iss": ISSUER, "sub": str(user_id), "iat": now_seconds, "exp": now_seconds + TOKEN_SECONDS}
