"""The house's style, as far as a test sees it: small modules with a name and an opening, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "core", "records", "present", "services", "stack", "sim", "loadtest", "chaos", "planning", "lab", "dashboards",
    "cli", "tests",
)  # fmt: skip
LINES_MAX = 400
#: A function lives with the noun it serves.
NO_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"})
#: A home or a work folder of some machine, and a host of a package mirror; /tmp and /etc are on every machine.
MACHINE_PATH = re.compile(r"(?<![\w./$}~-])/(?:root|work|home|Users)/[\w.-]+")
REGISTRY_HOST = re.compile(
    r"https?://[\w.-]*(?:pypi|pythonhosted|npmjs|registry|proxy\.golang|goproxy|maven|artifact|nexus|mirror)[\w.-]*"
    r"|(?:index-url|extra-index-url|GOPROXY|registry)\s*[=:]\s*[\"']?https?://"
)
#: What these would see and may stand: an XML vocabulary's name, and folders inside of an image.
ALLOWED = {"deploy/kafka/pom.xml": ("http://maven.apache.org",), "deploy/Dockerfile": ("/root/",)}
TEXT = (
    ".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".cfg", ".conf", ".vcl", ".html", ".js", ".css", ".lock", ".txt",
    ".json", ".xml", ".properties", "Makefile", "Dockerfile", ".gitignore", ".dockerignore", ".j2", ".svg", "run",
)  # fmt: skip


def committed() -> list[Path]:
    """Files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


FILES = committed()
MODULES = [path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in FOLDERS]
TEXTS = [path for path in FILES if path.name.endswith(TEXT)]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wrong_names(path: Path) -> list[str]:
    """Words in a module's place that name no noun."""
    parts = [*path.relative_to(ROOT).parts[:-1], path.stem]
    return [part for part in parts if NO_NAMES & {part, *part.split("_")}]


def machine_words(text: str) -> list[str]:
    """Paths of a machine and hosts of a registry in a text."""
    return [match[0] for pattern in (MACHINE_PATH, REGISTRY_HOST) for match in pattern.finditer(text)]


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 50
    assert ROOT / "core" / "ids.py" in MODULES


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_small_has_a_nouns_name_and_opens_with_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    assert not wrong_names(path)
    if text.strip():
        opening = ast.get_docstring(ast.parse(text))
        assert opening, "expected a sentence that says what the module is"
        assert opening[0].isupper() or opening.startswith(("`", "python", "“"))


def test_no_committed_text_names_a_machine_or_a_registry() -> None:
    found = []
    for path in TEXTS:
        if path == Path(__file__):
            continue
        words = machine_words(path.read_text(encoding="utf-8", errors="replace"))
        found += [f"{named(path)}: {word}" for word in words if not word.startswith(ALLOWED.get(named(path), ("-",)))]
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "see /root/notes.txt",
        'cd "/work/main"',
        "/home/me/.venv",
        "--index-url=https://example.org/simple",
        "https://registry.npmjs.org/x",
        "https://pypi.org/simple",
    ],
)
def test_the_guard_sees_what_it_is_for(text: str) -> None:
    assert machine_words(text)


@pytest.mark.parametrize(
    "text", ["https://github.com/x/work/y", "$HOME/root/x", "./work/x", "a/home/b", "http://127.0.0.1/home/x"]
)
def test_the_guard_lets_pass_what_names_no_machine(text: str) -> None:
    assert not machine_words(text)


def test_the_guard_knows_names_that_are_no_nouns() -> None:
    assert wrong_names(ROOT / "core" / "utils.py") == ["utils"]
    assert wrong_names(ROOT / "core" / "common" / "ids.py") == ["common"]
    assert wrong_names(ROOT / "lab" / "chart_helpers.py") == ["chart_helpers"]
    assert not wrong_names(ROOT / "core" / "ids.py")
