"""`windtunnel down`: stop the stack."""

from __future__ import annotations

from pathlib import Path

import click

from lab import stacks


@click.command("down")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the stack.")
@click.option("--wipe", is_flag=True, help="Also remove all its data.")
def command(data: Path | None, wipe: bool) -> None:
    """Stop the stack: services finish the work in progress, then the servers stop."""
    from stack import control

    folder = stacks.data_folder(data)
    if not folder.exists():
        click.echo(f"nothing to stop: there is no {folder}")
        return
    control.down(folder, wipe=wipe)
    click.echo(f"down; {'data removed' if wipe else f'data stays in {folder}'}")
