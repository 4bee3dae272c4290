"""The start of the supervisor: reads the scenario, checks the machine, plans, locks the folder.

Every foreseeable failure is found here, before the first process is started.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import shutil
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from core.names import Server
from core.scenario import Scenario, ScenarioError
from records.scenarios import read
from stack import exporter, guard, keys, ports, state
from stack.backing import clamd, folders, postgres, varnish
from stack.backing.registry import PROGRAMS
from stack.failure import StackFailure
from stack.install import tools
from stack.plan import StackPlan, plan, port_names
from stack.supervisor import Supervisor

FREE_BYTES_MIN: Final = 512 * 2**20


def main(arguments: list[str]) -> int:
    """Run a stack until it is stopped; returns 0, or 1 after an event that says what failed."""
    options = _arguments().parse_args(arguments)
    data = Path(options.data).absolute()
    guard.split(options.pipe, wipe=data if options.wipe else None)
    try:
        scenario = read(Path(options.scenario))
        servers = tuple(Server(name) for name in options.servers.split(",")) if options.servers else tuple(Server)
        wanted = {name: int(port) for name, _, port in (each.partition("=") for each in options.port)}
        check(servers)
        lock = take(data, servers, free_bytes_min=options.free_bytes_min)
        planned = make_plan(scenario, Path(options.scenario).absolute(), data, servers, options.services, wanted)
        asyncio.run(Supervisor(planned, _tell).run())
        os.close(lock)
    except (StackFailure, ScenarioError) as error:
        _tell({"event": "failed", "message": str(error)})
        return 1
    except OSError as error:
        _tell({"event": "failed", "message": f"{error.strerror}: {error.filename or data}"})
        traceback.print_exc()
        return 1
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack.supervisor", description=__doc__)
    parser.add_argument("--scenario", required=True, help="scenario file")
    parser.add_argument("--data", required=True, help="folder for all data of this stack")
    parser.add_argument("--pipe", type=int, default=-1, help="descriptor; the stack stops when its other end closes")
    parser.add_argument("--wipe", action="store_true", help="remove the folder when the pipe's other end closes")
    parser.add_argument("--port", action="append", default=[], metavar="NAME=PORT", help="use this port")
    parser.add_argument("--servers", default="", help="only these servers, separated by commas")
    parser.add_argument("--no-services", dest="services", action="store_false", help="servers only")
    parser.add_argument(
        "--free-bytes-min", type=int, default=FREE_BYTES_MIN, help="refuse to start with less free disk space"
    )
    return parser


def _tell(event: dict[str, Any]) -> None:
    try:
        print(json.dumps(event), flush=True)  # noqa: T201 - the caller reads these lines
    except BrokenPipeError:
        # the caller is gone; the journal has the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check(servers: tuple[Server, ...]) -> None:
    """Raise StackFailure that names every missing program."""
    failures: dict[str, StackFailure] = {}
    for server in servers:
        for program in PROGRAMS[server]:
            try:
                tools.find(program)
            except StackFailure as failure:
                failures.setdefault(failure.what, failure)
    if Server.KAFKA in servers:
        try:
            tools.jars()
        except StackFailure as failure:
            failures[failure.what] = failure
    if failures:
        raise StackFailure(", ".join(failures), hint="; ".join(dict.fromkeys(each.hint for each in failures.values())))


def take(data: Path, servers: tuple[Server, ...], *, free_bytes_min: int) -> int:
    """Lock the data folder; returns the lock's descriptor. Raises StackFailure: taken, full, or not accessible."""
    try:
        (data / "logs").mkdir(parents=True, exist_ok=True)
        data.chmod(0o755)
        lock = os.open(data / state.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise StackFailure(f"cannot write to {data}", hint="choose another --data folder") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        seen = state.read(data)
        pid = seen.supervisor_pid if seen else 0
        raise StackFailure(f"a stack already runs in {data} (pid {pid})", hint="`windtunnel down` stops it") from error
    free = shutil.disk_usage(data).free
    if free < free_bytes_min:
        raise StackFailure(
            f"the disk of {data} is nearly full: {free / 2**20:.0f} MiB free, {free_bytes_min / 2**20:.0f} MiB needed",
            hint="free some, or choose another --data folder",
        )
    users = {Server.POSTGRES: postgres.account(), Server.CLAMD: clamd.account(), Server.EDGE: varnish.account()}
    for server, user in users.items():
        if server in servers and user:
            folders.check_reach(data, user)
    shutil.rmtree(data / "holds", ignore_errors=True)
    return lock


def make_plan(
    scenario: Scenario,
    scenario_path: Path,
    data: Path,
    servers: tuple[Server, ...],
    services: bool,
    wanted: Mapping[str, int],
) -> StackPlan:
    """Choose ports, create the keys, plan."""
    secrets = keys.load_or_make(data / "keys")
    keys.write_private(data / "keys" / "jwt.pem", secrets.jwt_private_pem.encode())
    keys.write_private(data / "keys" / "jwt.pub", secrets.jwt_public_pem.encode())
    chosen = ports.choose((*port_names(scenario), exporter.PORT), wanted, before=state.read_ports(data))
    state.write_ports(data, chosen)
    return plan(scenario, scenario_path, data, chosen, secrets=secrets, services=services, servers=servers)
