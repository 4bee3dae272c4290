"""`windtunnel dashboard`: runs in the browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from lab.cli import options
from lab.provenance import ROOT


@click.command("dashboard")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=options.RUNS, show_default=True, help="Folder of runs."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8501, show_default=True, help="Port on 127.0.0.1.")
@click.option("--run", "run_id", help="Run to open.")
def command(runs: Path, port: int, run_id: str | None) -> int:
    """Serve the dashboard on this machine until Ctrl-C."""
    address = f"http://127.0.0.1:{port}/" + (f"?run={run_id}" if run_id else "")
    click.echo(f"dashboard  {address}   (Ctrl-C stops it)")
    words = [sys.executable, "-m", "dashboards.launch", "--runs", str(runs.absolute()), "--port", str(port)]
    child = subprocess.Popen(words, cwd=ROOT, env=os.environ)
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait(timeout=10)
        return 0
