"""A real headless Chromium, and the dashboard as a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, async_playwright, expect

from stack import ports
from tests.children import WITH_US

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
START_SECONDS_MAX = 60.0
# how long a page may take on a busy machine; a test that passes never waits for it
expect.set_options(timeout=60_000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    assert path is not None, "no chromium; install it with: windtunnel install --group test"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        await browser.close()


@dataclass
class Seen:
    """A page and what went wrong on it."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        # on_response reports a missing address, with its name
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    def on_response(self, response: Response) -> None:
        # Streamlit asks for its own end points below a page's path first, and takes the root's when there are none
        if response.status >= 400 and "/_stcore/" not in response.url:
            self.problems.append(f"{response.status} {response.url}")

    def on_request(self, request: Request) -> None:
        own = ("file:", "data:", "blob:", "http://127.0.0.1:", "ws://127.0.0.1:")
        if not request.url.startswith(own):
            self.problems.append(f"asked for {request.url}")


class Visit(Protocol):
    """Opens a page of its own."""

    def __call__(
        self, url: str, *, width: int = 1280, dark: bool = False, offline: bool = False
    ) -> Awaitable[Seen]: ...


@pytest_asyncio.fixture(loop_scope="session")
async def visit(chromium: Browser) -> AsyncIterator[Visit]:
    """``await visit(url, width=…, dark=…, offline=…)``; its pages are closed with the test."""
    contexts = []

    async def opened(url: str, *, width: int = 1280, dark: bool = False, offline: bool = False) -> Seen:
        context = await chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", offline=offline
        )
        contexts.append(context)
        seen = Seen(page=await context.new_page())
        seen.page.on("console", seen.on_console)
        seen.page.on("pageerror", lambda error: seen.problems.append(str(error)))
        seen.page.on("response", seen.on_response)
        seen.page.on("request", seen.on_request)
        await seen.page.goto(url)
        return seen

    yield opened
    for context in contexts:
        await context.close()


@contextmanager
def serving(runs: Path, log: Path) -> Iterator[str]:
    """The dashboard over ``runs`` as a server of its own; gives its address."""
    port = ports.choose(("dashboard",), {})["dashboard"]
    words = [*WITH_US, sys.executable, "-m", "dashboards.launch", "--runs", str(runs), "--port", str(port)]
    with log.open("wb") as out:
        server = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, env=os.environ)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/_stcore/health", server, log)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < ends and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the dashboard did not start:\n{log.read_text(errors='replace')[-2000:]}")


__all__ = ["Seen", "Visit", "serving"]
