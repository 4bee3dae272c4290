"""A process that one event kills: `python -m tests.service.kit.dying SETTINGS HEARD` records the events it gets."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from core import settings
from core.messages import CommentCreated
from services.kit import bus, consumer
from services.kit.app import application

GROUP = "kit-dying"


def note(heard: Path, line: str) -> None:
    with heard.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


async def main(told: settings.ProcessSettings, heard: Path) -> None:
    consumer.CONSUMER_SESSION_SECONDS = 6.0  # the broker's minimum: after each death the test waits that long
    app = application(told, told.members[0])

    async def hear(event: CommentCreated) -> None:
        note(heard, f"{event.post_id} {event.text}")
        if event.text == "kill":
            os.kill(os.getpid(), signal.SIGKILL)

    bus.consume(app, GROUP, {CommentCreated: hear})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.AppRunner(app)
    await runner.setup()
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(settings.decode(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])))
