"""What pyproject.toml asks to be installed for the product is imported by it."""

from __future__ import annotations

import re
import tomllib

from tests.tidy.test_style import MODULES, ROOT
from tests.tidy.test_unused_modules import imported, name_of

#: Names of modules that differ from their distribution's, apart from dashes.
MODULE = {
    "argon2-cffi": "argon2",
    "dask": "distributed",  # its extra
    "faiss-cpu": "faiss",
    "hdrhistogram": "hdrh",
    "pyjwt": "jwt",
    "pyyaml": "yaml",
    "toxiproxy-python": "toxiproxy",
    "vl-convert-python": "vl_convert",
}
#: Not imported yet: the product owner asks for them, for search by likeness and for ranking.
AWAITED = {"faiss-cpu", "lightgbm"}


def distributions(requirements: list[str]) -> set[str]:
    """Names of distributions, without versions and extras."""
    return {re.split(r"[\[<>=~! ]", each, maxsplit=1)[0].lower() for each in requirements}


def never_imported(names: set[str], modules: set[str]) -> set[str]:
    """Distributions of which no module is among the imported ones."""
    return {name for name in names if MODULE.get(name, name.replace("-", "_")) not in modules}


def test_every_dependency_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = distributions(project["dependencies"])
    product = [path for path in MODULES if not name_of(path).startswith("tests")]
    modules = {
        target.partition(".")[0].lower() for path in product for target in imported(path.read_text(encoding="utf-8"))
    }

    assert "simpy" in names
    assert never_imported(names, modules) == AWAITED


def test_a_dependency_that_nothing_imports_is_seen() -> None:
    names = distributions(["orjson>=3.11", "redis[hiredis]>=8.1", "PyYAML", "prometheus-client>=0.26"])

    assert never_imported(names, {"redis", "yaml", "prometheus_client"}) == {"orjson"}
