"""The report as Markdown: the same text and tables as the page, with captions in place of charts."""

from __future__ import annotations

import re
from typing import Final

from present.parts import Report, Section, Table

#: Characters with a meaning anywhere in Markdown; an underscore within a name has none.
_SIGNS: Final = re.compile(r"[\\`*|<\[]|~|\$(?=[^$]*\$)|&(?=#?\w+;)|(?<!\w)_|_(?!\w)")
#: Line beginnings that make a heading, a list, a quotation or a rule.
_START: Final = re.compile(r"^(?:#{1,6} |[-+] |-{3,}$|={3,}$|>)|(?<=^\d)[.)](?= )")
#: Text that renderers turn into a link.
_ADDRESS: Final = re.compile(r"(?i)(?:https?://|ftp://|mailto:|www\.)[^\s|]+")


def render(report: Report) -> str:
    """The whole as Markdown (CommonMark with tables)."""
    lines = [f"# {_plain(report.title)}", "", f"**{report.mark}{_plain(report.sentence)}**", ""]
    if report.says:
        lines += [f"> {_plain(report.says)}", ""]
    lines += [_plain(report.caption), ""]
    for section in report.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {_plain(section.title)}", ""]
    for sentence in section.sentences:
        lines += [_plain(sentence), ""]
    if section.commands:
        lines += ["```sh", *section.commands, "```", ""]
    for table in section.tables:
        lines += _table(table)
    for figure in section.figures:
        lines += [f"- {_plain(figure.caption)} {_plain(figure.alt)}"]
    if section.figures:
        lines.append("")
    for listing in section.listings:
        fence = "```"
        while fence in listing.text:
            fence += "`"
        lines += [
            "<details>",
            f"<summary>{_plain(listing.title)}</summary>",
            "",
            fence,
            listing.text.rstrip("\n"),
            fence,
            "",
            "</details>",
            "",
        ]
    return lines


def _table(table: Table) -> list[str]:
    lines = [_plain(table.caption), ""] if table.caption else []
    lines.append(_line(table.head))
    lines.append(_line(tuple("---" if index in table.texts else "---:" for index in range(len(table.head))), raw=True))
    for row in table.rows:
        bold = row.mark == "missed"
        lines += [_line(tuple(f"**{_plain(each)}**" if bold else _plain(each) for each in row.cells), raw=True)]
    return [*lines, ""]


def _line(cells: tuple[str, ...], *, raw: bool = False) -> str:
    return "| " + " | ".join(each if raw else _plain(each) for each in cells) + " |"


def _plain(text: str) -> str:
    """Text escaped so that nothing is taken for Markdown, HTML, a formula or a link."""
    line, begin, parts = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()), 0, []
    for found in _ADDRESS.finditer(line):
        parts += [_escaped(line[begin : found.start()]), f"`{found[0].replace('`', '')}`"]
        begin = found.end()
    return _START.sub(r"\\\g<0>", "".join((*parts, _escaped(line[begin:]))))


def _escaped(text: str) -> str:
    return _SIGNS.sub(r"\\\g<0>", text)
