"""Writes to Redis in the background what could not be written at once."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from services.engagement.store.counters import Counters
from services.kit.bus import run_beside

_EVERY_SECONDS: Final = 0.5
_log = structlog.get_logger("counters")


def use(app: web.Application, counters: Counters) -> None:
    """Write what is due while the application runs."""

    async def settle() -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await counters.settle()
            except Failure as failure:
                _log.info("counts_still_owed", owed=counters.owed, error=str(failure))

    run_beside(app, settle)
