"""Starts the dashboard: Streamlit on 127.0.0.1, without telemetry and without stack traces.

``python -m dashboards.launch --runs DIR --port N`` becomes the server (the process is replaced), so whoever started it
ends it by its process id.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from present.palette import DARK, LIGHT, Palette

APP: Final = Path(__file__).with_name("app.py")

_OPTIONS: Final[Mapping[str, str]] = {
    "server.headless": "true",
    "server.address": "127.0.0.1",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "logger.hideWelcomeMessage": "true",
}


def command(runs: Path, port: int) -> list[str]:
    """The command line that serves the dashboard of the folder ``runs`` on 127.0.0.1:``port``."""
    options = {**_OPTIONS, "server.port": str(port), **_theme("light", LIGHT), **_theme("dark", DARK)}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags, "--", "--runs", str(runs)]


def _theme(base: str, palette: Palette) -> dict[str, str]:
    return {
        f"theme.{base}.primaryColor": palette.measured,
        f"theme.{base}.backgroundColor": palette.paper,
        f"theme.{base}.textColor": palette.ink,
        f"theme.{base}.borderColor": palette.grid,
    }


def main() -> None:
    """Replace this process with the server."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.launch")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8501)
    options = parser.parse_args()
    words = command(options.runs.absolute(), options.port)
    os.execv(words[0], words)


if __name__ == "__main__":
    main()
