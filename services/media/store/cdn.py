"""Purges photos from the CDN's tiers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp
from aiohttp import web

from core import settings
from core.failures import Unavailable

PURGE_KEY_HEADER: Final = "X-Purge-Key"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=2.0)
_CONNECTIONS_MAX: Final = 4


class CdnClient:
    """A client of both tiers."""

    def __init__(self, cdn_settings: settings.CdnSettings):
        self._cdn_settings = cdn_settings
        self._session: aiohttp.ClientSession | None = None

    async def opened(self, _app: web.Application) -> AsyncIterator[None]:
        """Connections while the application runs."""
        async with aiohttp.ClientSession(
            timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX)
        ) as self._session:
            yield

    async def purge(self, keys: Sequence[str]) -> None:
        """Purge these objects from the shield, then from the edge; raises Unavailable when one of them may have failed.

        In this order, because the edge could fetch a purged object from the shield again. Each is purged even when the
        other cannot be reached.
        """
        wrong: list[str] = []
        for base in (self._cdn_settings.shield, self._cdn_settings.edge):
            answers = await asyncio.gather(*(self._purge(base, key) for key in keys))
            wrong += [answer for answer in answers if answer]
        if wrong:
            raise Unavailable(f"The CDN could not be purged: {wrong[0]}")

    async def _purge(self, base: str, key: str) -> str:
        """What failed; empty when the tier has purged the object."""
        assert self._session is not None
        headers = {PURGE_KEY_HEADER: self._cdn_settings.purge_key}
        try:
            async with self._session.request("PURGE", f"{base}/media/{key}", headers=headers) as answer:
                return "" if answer.status == 200 else f"{base} answered {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"{base}: {error!r}"
