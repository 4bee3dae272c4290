"""Each step of the image has the folders that its code imports, so that an early layer does not fail to be built."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tidy.test_style import FOLDERS
from tests.tidy.test_unused_modules import imported

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def _copied_before(step: str) -> set[str]:
    """Packages that are copied whole before the step with this text."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert step in text
    return set(re.findall(r"^COPY (\w+) \1$", text.split(step)[0], re.MULTILINE)) & set(FOLDERS)


def test_the_step_that_starts_servers_has_every_package_that_the_stack_imports() -> None:
    copied, needed, left = _copied_before("from stack.install import classes"), set[str](), {"stack"}
    while left:
        package = left.pop()
        needed.add(package)
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / package).rglob("*.py")]
        tops = {name.partition(".")[0] for text in texts for name in imported(text)}
        left |= (tops & set(FOLDERS)) - needed

    assert {"core", "stack"} <= needed
    assert needed <= copied
