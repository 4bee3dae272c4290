"""`windtunnel logs`: show the log of one process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from core.errors import UserError
from lab import stacks


@click.command("logs")
@click.argument("name", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the stack.")
@click.option("-n", "--lines", type=click.IntRange(min=1), default=50, help="Number of lines to show, from the end.")
@click.option("-f", "--follow", is_flag=True, help="Follow the log until Ctrl-C.")
def command(name: str | None, data: Path | None, lines: int, follow: bool) -> None:
    """Print the end of the log of process NAME (see `windtunnel status` for names).

    Without NAME, print the stack's events: which processes died and how, were restarted, or did not answer.
    """
    if name is None:
        _history(stacks.data_folder(data) / "journal.jsonl", lines)
        return
    folder = stacks.data_folder(data) / "logs"
    path = folder / f"{name}.log"
    if path.parent != folder or not path.is_file():
        known = sorted(each.stem for each in folder.glob("*.log"))
        raise UserError(
            f"there is no log of {name}; known logs: {', '.join(known) or 'none, because no stack ran here'}"
        )
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 400 * lines))
        click.echo("\n".join(file.read().decode(errors="replace").splitlines()[-lines:]))
        while follow:
            text = file.read().decode(errors="replace")
            if text:
                click.echo(text, nl=False)
            else:
                time.sleep(0.2)


def _history(journal: Path, lines: int) -> None:
    if not journal.is_file():
        raise UserError(f"no stack ran in {journal.parent}")
    for line in journal.read_text(encoding="utf-8").splitlines()[-lines:]:
        entry = json.loads(line)
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.pop("at")))
        event, name = entry.pop("event"), entry.pop("name", "")
        rest = "  ".join(f"{key}={value}" for key, value in entry.items() if value not in ("", None))
        click.echo(f"{at}  {name:<12}{event:<16}{rest}")
