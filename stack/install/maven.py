"""Fetches Kafka: the jars that `deploy/kafka/pom.xml` names, each verified by the checksum committed beside it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from stack.deployment import FOLDER
from stack.failure import StackFailure
from stack.install import steps
from stack.install.tools import jars_folder

_POM: Final = FOLDER / "kafka" / "pom.xml"
_CHECKSUMS: Final = FOLDER / "kafka" / "jars.sha256"
_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def fetch() -> None:
    """Fetch the jars into the cache; raises StackFailure when one is missing, unknown or altered."""
    with steps.whole(jars_folder()) as scratch:
        project = scratch / "project"
        project.mkdir()
        shutil.copy(_POM, project / "pom.xml")
        argv = ["mvn", "-q", "-B", _PLUGIN, f"-DoutputDirectory={scratch}", "-DincludeScope=runtime"]
        steps.run("fetch Kafka", argv, cwd=project)
        shutil.rmtree(project)
        verify(scratch)


def verify(folder: Path) -> None:
    """Raise StackFailure unless ``folder`` holds exactly the jars of the list, unaltered."""
    lines = [line.split() for line in _CHECKSUMS.read_text(encoding="utf-8").splitlines()]
    wanted = {name: digest for digest, name in lines}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise StackFailure(
            f"jars of Kafka are missing, unknown or altered: {', '.join(wrong)}",
            hint=f"the list is {_CHECKSUMS}; remove them from Maven's own cache and install again",
        )
