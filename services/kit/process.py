"""One operating-system process: runs the components of its settings in one event loop, each on its own port.

Started by `python -m services`, or by `python -m services.<component>` for that member alone. It stops on SIGTERM:
no new requests, those in flight get ``drain_seconds``, then resources close in reverse.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from core.failures import Failure
from core.scenario import ScenarioError
from core.settings import Member, ProcessSettings
from services.kit import config, logs
from services.kit.app import HTTP

_BACKLOG = 1024
_log = structlog.get_logger("process")


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """The application of one member, by its service's own `build`."""
    # by name: the chassis knows no service, and a process imports only the services it runs
    module = importlib.import_module(f"services.{member.component}.app")
    app: web.Application = module.build(settings, member)
    return app


async def serve(settings: ProcessSettings, members: tuple[Member, ...]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runners: list[web.AppRunner] = []
    try:
        for member in members:
            runner = web.AppRunner(
                build(settings, member),
                access_log=None,
                shutdown_timeout=settings.drain_seconds,
                keepalive_timeout=75,
                **HTTP,
            )
            runners.append(runner)
            await runner.setup()
            site = web.TCPSite(runner, member.listen.host, member.listen.port, backlog=_BACKLOG, reuse_address=True)
            await site.start()
            _log.info("ready", component=member.component, host=member.listen.host, port=member.listen.port)
        # objects built at start are never freed: keep the collector from traversing them during requests
        gc.collect()
        gc.freeze()
        await stop.wait()
        _log.info("stopping")
    finally:
        # concurrently: each may have to wait for a server that does not answer
        await asyncio.gather(*(runner.cleanup() for runner in runners))


def main(component: str | None = None) -> None:
    """Run this process' members, or the one called ``component``; exits with a message when it cannot start."""
    settings = config.load()
    logs.configure(level=settings.log_level, process=settings.process)
    members = tuple(each for each in settings.members if component in (None, each.component))
    if not members:
        raise SystemExit(f"{settings.process}: the settings name no member {component or ''}")
    try:
        Path(settings.data_directory).mkdir(parents=True, exist_ok=True)
        uvloop.run(serve(settings, members))
    except (Failure, ScenarioError, OSError) as error:
        raise SystemExit(f"{settings.process}: {error}") from error
