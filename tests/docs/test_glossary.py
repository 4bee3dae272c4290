"""The glossary is generated: the document is what the command prints, and the names in it exist."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import glossary
from cli.glossary import TERMS, Term
from core.errors import UserError
from core.operations import OPERATIONS
from core.scenario.faults import KINDS

DOCUMENT = Path(__file__).parents[2] / "docs" / "GLOSSARY.md"


def test_the_document_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(glossary.command, ["--markdown"]).output
    assert DOCUMENT.read_text(encoding="utf-8") == printed, "windtunnel glossary --markdown > docs/GLOSSARY.md"


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_word_names_something_that_the_code_has(term: Term) -> None:
    module, _, name = term.at.partition(":")
    assert hasattr(importlib.import_module(module), name)
    assert term.meaning.endswith(".")


def test_every_operation_and_every_kind_of_fault_is_in_it() -> None:
    printed = glossary.markdown()
    names = [*OPERATIONS, *(kind.kind for kind in KINDS)]
    assert len(names) > 30
    assert [name for name in names if f"`{name}`" not in printed] == []


def test_a_term_is_listed_once() -> None:
    names = [term.name for term in TERMS]
    assert len(names) == len(set(names)) > 30


def test_one_word_is_explained_and_an_unknown_one_is_answered_with_the_nearest() -> None:
    printed = CliRunner().invoke(glossary.command, ["Price Book"]).output
    assert printed == "price book\n    Dated list prices, each with its source.\n"
    with pytest.raises(UserError, match="did you mean station"):
        CliRunner().invoke(glossary.command, ["statoin"], catch_exceptions=False)
