"""Progress of long work on stderr: bars on a terminal, whole plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click

_PLAIN_EVERY_SECONDS = 10.0


class ProgressReport(Protocol):
    """A callback that receives the progress of a piece of work."""

    def __call__(self, done: float, total: float, note: str = "") -> None: ...


@contextmanager
def task(title: str) -> Iterator[ProgressReport]:
    """Show one piece of work called ``title`` while the block runs."""
    if sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        with _plain(title) as report:
            yield report


@contextmanager
def _bar(title: str) -> Iterator[ProgressReport]:
    from rich.console import Console  # slow to import
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=28),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        handle = progress.add_task(title, total=None, note="")

        def report(done: float, total: float, note: str = "") -> None:
            progress.update(handle, completed=done, total=total, note=note)

        yield report
        finished = progress.tasks[0]
        progress.update(handle, completed=finished.total or 1.0, total=finished.total or 1.0)


@contextmanager
def _plain(title: str) -> Iterator[ProgressReport]:
    started = reported = time.monotonic()
    click.echo(f"{title} …", err=True)

    def report(done: float, total: float, note: str = "") -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported >= _PLAIN_EVERY_SECONDS:
            reported = now
            share = f"{done / total:.0%} " if total else ""
            click.echo(f"{title} … {share}{note}".rstrip(), err=True)

    yield report
    click.echo(f"{title} done in {time.monotonic() - started:.1f} s", err=True)
