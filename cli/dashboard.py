"""`windtunnel dashboard`: show runs in the browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from cli import options
from records.provenance import ROOT

STOP_SECONDS_MAX: Final = 10.0


@click.command("dashboard")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=options.RUNS, show_default=True, help="Folder of runs."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8501, show_default=True, help="Port on 127.0.0.1.")
@click.option("--run", "run_id", help="Run to open.")
def command(runs: Path, port: int, run_id: str | None) -> int:
    """Serve the dashboard on this machine until Ctrl-C."""
    address = f"http://127.0.0.1:{port}/" + (f"?run={quote(run_id)}" if run_id else "")
    click.echo(f"dashboard  {address}   (Ctrl-C stops it)")
    words = [sys.executable, "-m", "dashboards.launch", "--runs", str(runs.absolute()), "--port", str(port)]
    child = subprocess.Popen(words, cwd=ROOT, env=os.environ)
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        try:
            child.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:  # it hangs
            child.kill()
            child.wait()
        return 0
