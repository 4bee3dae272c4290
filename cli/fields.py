"""`windtunnel fields`: where each field of a scenario acts; `docs/FIELDS.md` is what it prints."""

from __future__ import annotations

import difflib
import json
import sys
import textwrap
from typing import Final

import click

from core.errors import UserError
from core.scenario.reach import FIELDS, FieldEffect, FieldReach, ScenarioSide, reach_of
from present.tables import table

WIDTH: Final = 80
_SAYS: Final = {FieldEffect.YES: "acts", FieldEffect.NO: "no", FieldEffect.REFUSED: "refused", FieldEffect.NOT_ITS: "–"}


def markdown() -> str:
    """The whole table, as `docs/FIELDS.md` has it."""
    lines = [
        "# Fields of a scenario, and where they act",
        "",
        "Printed by `windtunnel fields --markdown`. A test changes each field and compares the model's run, and the",
        "plan, with and without the change. **acts**: the figures depend on it. **no**: they do not, for the reason",
        "given; where such a field has another value than its default, that side's output notes it. **refused**: the",
        "side does not run a scenario with another value than the default, and says why. **–**: the side has no use",
        "for it.",
        "",
        "`windtunnel explain FILE` prints a scenario with all defaults.",
        "",
        "| Field | Stack | Model | Plan | Why not |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| `{field}` | {' | '.join(_says(reach))} | {reach.why} |" for field, reach in FIELDS.items()]
    return "\n".join(lines) + "\n"


def _says(reach: FieldReach) -> list[str]:
    return [_SAYS[reach.on(side)] for side in ScenarioSide]


def _known(name: str) -> dict[str, FieldReach]:
    """The fields of which ``name`` is one, or the beginning; raises UserError."""
    if (reach := reach_of(name)) is not None:
        return {name: reach}
    found = {field: reach for field, reach in FIELDS.items() if field.startswith(f"{name}.")}
    if not found:
        near = difflib.get_close_matches(name, FIELDS, n=1)
        raise UserError(f"there is no field {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
    return found


@click.command("fields")
@click.argument("name", required=False)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print all of it as docs/FIELDS.md has it.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def command(name: str | None, as_markdown: bool, as_json: bool) -> None:
    """Say where the field NAME of a scenario acts, or every field: on the stack, on the model, on a plan.

    \b
    Examples:
      windtunnel fields
      windtunnel fields system.feed
      windtunnel fields system.feed.page
    """
    found = _known(name) if name else dict(FIELDS)
    if as_markdown:
        sys.stdout.write(markdown())
    elif as_json:
        rows = {
            field: {**{side.value: reach.on(side).value for side in ScenarioSide}, "why": reach.why}
            for field, reach in found.items()
        }
        click.echo(json.dumps(rows, ensure_ascii=False))
    else:
        body = [[field, *_says(reach)] for field, reach in found.items()]
        lines, _ = table(["FIELD", *(side.value for side in ScenarioSide)], body, texts=4)
        click.echo(lines[0])
        for line, reach in zip(lines[1:], found.values(), strict=True):
            click.echo(line)
            if reach.why:
                click.echo(textwrap.indent(textwrap.fill(reach.why, WIDTH - 4), "    "))
