"""`windtunnel glossary`: what a word means here; `docs/GLOSSARY.md` is what it prints."""

from __future__ import annotations

import difflib
import inspect
import json
import sys
import textwrap
from pathlib import Path
from typing import Final, NamedTuple

import click
import yaml

from core.errors import UserError
from core.names import Cache, Component, Origin, Outcome, Server
from core.operations import OPERATIONS
from core.scenario.faults import KINDS

WIDTH: Final = 80


class Term(NamedTuple):
    """A word with its one meaning."""

    name: str
    meaning: str
    at: str  # module:object that is called so


#: The words, as `glossary.yaml` beside this file has them.
TERMS: Final = tuple(
    Term(name=name, **entry)
    for name, entry in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")).items()
)

#: Ends of names → what they are measured in.
UNITS: Final = {
    "_seconds": "seconds (never milliseconds inside; outputs choose the unit)",
    "_bytes": "bytes",
    "_ratio": "a share, 0 to 1",
    "_count": "how many",
    "_total": "how many since the start",
    "_per_second": "a rate",
    "_min, _max": "a bound, included",
}


def markdown() -> str:
    """The whole glossary, as `docs/GLOSSARY.md` has it."""
    lines = [
        "# Glossary",
        "",
        "Printed by `windtunnel glossary --markdown`. A word has one meaning, here and everywhere.",
        "",
    ]
    lines += ["## Words", "", "| Word | Meaning | In the code |", "|---|---|---|"]
    for term in sorted(TERMS):
        lines.append(f"| **{term.name}** | {_escaped(term.meaning)} | `{term.at.replace(':', '.')}` |")
    lines += ["", "## Operations", "", "| Operation | Request | Answered by | Stages |", "|---|---|---|---|"]
    for operation in OPERATIONS.values():
        stages = ", ".join(operation.stages)
        lines.append(
            f"| `{operation.name}` | `{operation.method} {operation.path}` | {operation.component} | {stages} |"
        )
    lines += ["", "## Faults", "", "| Kind | What it is |", "|---|---|"]
    lines += [f"| `{kind.kind}` | {_first(kind)} |" for kind in KINDS]
    for title, names in (
        ("Components", Component),
        ("Servers", Server),
        ("Caches", Cache),
        ("Outcomes of a request", Outcome),
        ("Origins of a run", Origin),
    ):
        lines += ["", f"## {title}", "", f"{_first(names)} {', '.join(f'`{name}`' for name in names)}."]
    lines += ["", "## Units", "", "| A name that ends in | is |", "|---|---|"]
    lines += [f"| `{end}` | {what} |" for end, what in UNITS.items()]
    return "\n".join(lines) + "\n"


def _first(described: type) -> str:
    """The first sentence of a docstring."""
    text = " ".join((inspect.getdoc(described) or "").split("\n\n")[0].split())
    return _escaped(text.split(". ")[0].removesuffix(".") + ".")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


def _known(name: str) -> Term:
    known = {term.name: term for term in TERMS}
    if name.lower() in known:
        return known[name.lower()]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    raise UserError(f"there is no word {name!r} in the glossary" + (f"; did you mean {near[0]}?" if near else ""))


@click.command("glossary")
@click.argument("word", required=False)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print all of it as docs/GLOSSARY.md has it.")
@click.option("--json", "as_json", is_flag=True, help="Print words and meanings as JSON.")
def command(word: str | None, as_markdown: bool, as_json: bool) -> None:
    """Say what WORD means here, or every word.

    \b
    Examples:
      windtunnel glossary
      windtunnel glossary "price book"
    """
    terms = (_known(word),) if word else tuple(sorted(TERMS))
    if as_markdown:
        sys.stdout.write(markdown())
    elif as_json:
        click.echo(json.dumps({term.name: term.meaning for term in terms}, ensure_ascii=False))
    else:
        for term in terms:
            click.echo(f"{term.name}\n{textwrap.indent(textwrap.fill(term.meaning, WIDTH - 4), '    ')}")
