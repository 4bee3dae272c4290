"""Publishes house ads periodically, so that a changed or lost list is corrected within seconds."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web

from core.failures import Failure
from services.ads.rules import DEFAULTS
from services.ads.store import HouseAds
from services.kit.bus import run_beside

_EVERY_SECONDS: Final = 2.0
_log = structlog.get_logger("ads")


def use(app: web.Application, ads: HouseAds) -> None:
    """Publish while the application runs."""

    async def publish() -> None:
        seeded = False
        while True:
            try:
                if not seeded:
                    await ads.seed(DEFAULTS)
                    seeded = True
                if await ads.publish():
                    _log.info("house_ads_published")
            except Failure as failure:
                _log.warning("house_ads_late", error=str(failure))
            await asyncio.sleep(_EVERY_SECONDS)

    run_beside(app, publish)
