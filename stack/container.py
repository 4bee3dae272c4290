"""Runs one process of the plan in a container of its own: ``python -m stack.container NAME``.

The containers of `docker-compose.yml` are the processes of the plan under other host names: each is prepared, started,
checked and initialised by the same module of `stack/backing` as on a plain machine. When it last answered its protocol
is recorded as a file's time, so that the engine's health check needs no interpreter; when the process ends, so does the
container, and the engine's restart policy starts it again.

``python -m stack.container secrets`` creates the secrets of the stack, once, before all other containers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from core.names import Server
from core.scenario import Scenario, ScenarioError
from records.scenarios import read
from stack import keys, processes, watch
from stack.backing import service
from stack.backing.registry import BACKINGS
from stack.failure import NotReady, StackFailure
from stack.keys import Secrets
from stack.plan import Address, Process, StackPlan, plan, port_names, processes_of
from stack.probe import Probe
from stack.processes import Child
from stack.watch import WatchResult

DATA: Final = Path("/var/lib/windtunnel")  # each process has its own folder in it, which is a volume
KEYS: Final = DATA / "keys"
SHARED_KEYS: Final = DATA / "shared_keys"  # the same without the key that signs tokens
SECRETS: Final = "secrets"  # the container that makes them
HEALTHY: Final = Path("/run/windtunnel/healthy")  # touched whenever the process answered
HEALTHY_SECONDS_MAX: Final = 20.0  # an older answer does not count
SCENARIO_VARIABLE: Final = "WINDTUNNEL_SCENARIO"
PUBLISHED_VARIABLE: Final = "WINDTUNNEL_PUBLISHED"  # gateway=HOST:PORT edge=HOST:PORT objects=HOST:PORT
#: Servers that clients reach, and the port at which each is published by default.
PUBLISHED: Final[dict[Server, int]] = {Server.GATEWAY: 8080, Server.EDGE: 8081, Server.OBJECTS: 8082}
_FIRST_PORT: Final = 9000  # of everything else; every container has an address of its own
_READY_SECONDS: Final = 120.0  # all containers start at once, on few cores
_LOOK_SECONDS: Final = 5.0  # between two checks of a running process
_STDOUT: Final = Path("/dev/stdout")  # the engine keeps the logs


def container_plan(scenario: Scenario, path: str, secrets: Secrets, published: Mapping[str, Address]) -> StackPlan:
    """The plan of ``scenario`` with a container, and so a host name, per process; pure.

    Raises StackFailure if containers cannot run the scenario.
    """
    if scenario.system.gateway.instances > 1:
        raise StackFailure("containers cannot share one published port", hint="use one gateway in the scenario")
    ports = {str(Server.FRONT if server is Server.OBJECTS else server): port for server, port in PUBLISHED.items()}
    others = (name for name in port_names(scenario) if name not in ports)
    ports |= {name: _FIRST_PORT + offset for offset, name in enumerate(others)}
    hosts = {str(server): str(server) for server in Server}
    hosts |= {f"{Server.POSTGRES}_{index}": f"{Server.POSTGRES}_{index}" for index in range(len(ports))}
    for process, members in processes_of(scenario).items():
        hosts[process] = process
        number = process.rpartition("-")[2] if process not in scenario.system.placement.processes else ""
        hosts |= {f"{member}-{number}" if number else str(member): process for member in members}
    return plan(scenario, Path(path), DATA, ports, secrets=secrets, hosts=hosts, published=published, bind="0.0.0.0")


def published_of(text: str) -> dict[str, Address]:
    """Read ``gateway=HOST:PORT edge=HOST:PORT …``; raises StackFailure."""
    found: dict[str, Address] = {}
    for each in text.split():
        match = re.fullmatch(r"(\w+)=([\w.-]+):(\d+)", each)
        if match is None or match[1] not in PUBLISHED:
            names = ", ".join(PUBLISHED)
            raise StackFailure(f"{PUBLISHED_VARIABLE} has {each!r}", hint=f"NAME=HOST:PORT of {names}, with spaces")
        found[match[1]] = Address(host=match[2], port=int(match[3]))
    return found


def make_secrets() -> None:
    """Create the secrets that do not exist yet; only auth's container gets the key that signs tokens."""
    made = keys.load_or_make(KEYS)
    keys.write_private(KEYS / "jwt.pem", made.jwt_private_pem.encode())
    SHARED_KEYS.mkdir(parents=True, exist_ok=True)
    shared = msgspec.structs.replace(made, jwt_private_pem="")
    keys.write_private(SHARED_KEYS / "secrets.json", msgspec.json.encode(shared))
    for folder in (KEYS, SHARED_KEYS):
        keys.write_private(folder / "jwt.pub", made.jwt_public_pem.encode())


def main(arguments: list[str]) -> int:
    """Run until stopped or until the process ends; returns its exit code, or 1 after one readable line."""
    parser = argparse.ArgumentParser(prog="python -m stack.container", description=__doc__)
    parser.add_argument("name", help=f"a process of the plan, or {SECRETS}")
    name = parser.parse_args(arguments).name
    try:
        if name == SECRETS:
            make_secrets()
            return 0
        path = os.environ.get(SCENARIO_VARIABLE, "")
        if not path:
            raise StackFailure(f"{SCENARIO_VARIABLE} is not set", hint="it names the scenario file")
        if not (KEYS / "secrets.json").exists():
            raise StackFailure(f"no secrets in {KEYS}", hint=f"the container {SECRETS} makes them; mount its volume")
        published = published_of(os.environ.get(PUBLISHED_VARIABLE, ""))
        whole = container_plan(read(Path(path)), str(Path(path).absolute()), keys.load_or_make(KEYS), published)
        try:
            process = whole.process(name)
        except KeyError:
            names = ", ".join(each.name for each in whole.processes)
            raise StackFailure(f"the plan has no process {name}", hint=f"one of {names}") from None
        return asyncio.run(_run(whole, process))
    except (StackFailure, ScenarioError) as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log of the container
        return 1


async def _run(whole: StackPlan, process: Process) -> int:
    backing = BACKINGS[process.server] if process.server else service
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    HEALTHY.parent.mkdir(parents=True, exist_ok=True)
    HEALTHY.unlink(missing_ok=True)
    command = await asyncio.to_thread(backing.prepare, whole, process)
    child = processes.start(process.name, command, _STDOUT, lambda _: stopping.set(), niceness=process.niceness)
    try:
        for step in (backing.ready, backing.settle):
            deadline, pause = time.monotonic() + _READY_SECONDS, 0.05
            while not stopping.is_set():
                try:
                    await asyncio.to_thread(step, whole, process)
                    break
                except NotReady as error:
                    if time.monotonic() > deadline:
                        raise StackFailure(
                            f"{process.name} was not ready within {_READY_SECONDS:g} s: {error}"
                        ) from None
                await _wait(stopping, pause)
                pause = min(pause * 1.3, 1.0)
        watching = asyncio.create_task(_watch(child, backing.question(whole, process)))
        while not stopping.is_set():
            try:
                await asyncio.to_thread(backing.ready, whole, process)
                HEALTHY.touch()
            except NotReady as error:
                print(f"{process.name} does not answer: {error}", file=sys.stderr, flush=True)  # noqa: T201
            await _wait(stopping, _LOOK_SECONDS)
        watching.cancel()
    finally:
        by_itself = child.exit_code is not None
        await processes.stop(child, command)
    return _exit_code(child) if by_itself else 0


async def _watch(child: Child, question: Probe) -> None:
    """Kill a process that is frozen, so that the engine restarts the container."""
    over = watch.Watch(child.pid, question)
    while over.look(time.monotonic()) is not WatchResult.GONE:  # noqa: ASYNC110 - it can only be polled
        await asyncio.sleep(watch.LOOK_SECONDS)
    print(f"{child.name} does not answer and is killed", file=sys.stderr, flush=True)  # noqa: T201
    watch.end(child.pid)


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def _exit_code(child: Child) -> int:
    """The exit code as a shell reports it; a process that ended by itself is never a success."""
    code = child.exit_code or 1
    return code if code > 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
