"""HAProxy as the gateway: routes and required sign-in come from `core.operations`, limits from the scenario.

So exactly the operations named there are reachable, and no list is kept by hand. Several instances share one port
(SO_REUSEPORT): when one dies, the kernel gives new connections to the others.
"""

from __future__ import annotations

import asyncio
import csv
import http.client
import io
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from core import failures, tokens
from core.names import BODY_BYTES_MAX, LIMIT_HEADER, Component, Server
from core.operations import API, OPERATIONS, Operation
from core.scenario.units import RateLimit
from stack import probe
from stack.backing import haproxy
from stack.backing.origins import origins, preflight
from stack.backing.refusals import BODY_SECONDS, errors, refusals
from stack.command import Command
from stack.deployment import filled
from stack.failure import NotReady
from stack.plan import Address, Process, StackPlan
from stack.probe import Probe

#: Pages that are not operations: path and the component that serves them to everybody.
PAGES: Final[dict[str, Component]] = {
    "/openapi.json": Component.POSTS,
    "/docs": Component.POSTS,
    failures.PAGE.removeprefix(API): Component.POSTS,
}
_ADMIN_SECONDS: Final = 1.0
#: A dead instance refuses connections: requests notice, and then checks every 100 ms, so it is removed within 0.3 s. A
#: busy one answers its checks late: it is removed only after three of them took 2 s each.
_SERVER: Final = (
    "default-server check inter 1s fastinter 100ms downinter 200ms fall 3 rise 1 maxconn 512 "
    "observe layer4 error-limit 1 on-error fastinter pool-max-conn 128"
)
#: With another instance, requests to one that hangs are cut off; without, they may still be answered.
_CUT_OFF: Final = " on-marked-down shutdown-sessions"


def pattern(path: str) -> str:
    """Regular expression of a path with ``{variables}``: a variable is one segment."""
    parts = re.split(r"\{[a-z_]+\}", API + path)
    return "^" + "[^/]+".join(re.escape(part) for part in parts) + "$"


def operations_of(components: Iterable[Component]) -> tuple[Operation, ...]:
    """Operations that these components answer: the ones that go through the gateway."""
    present = frozenset(components)
    return tuple(each for each in OPERATIONS.values() if each.component in present)


def _methods(operation: Operation) -> tuple[str, ...]:
    """The methods of an operation: HEAD is allowed wherever GET is."""
    return ("GET", "HEAD") if operation.method == "GET" else (operation.method,)


def routes_map(components: Iterable[Component], limits: Mapping[str, RateLimit]) -> str:
    """Lines ``^METHOD:path$ operation|component|1 if it needs a token|quota|seconds|user or ip``.

    The last three are present for operations with a limit.
    """
    components = tuple(components)
    lines = [
        f"^{_either(_methods(each))}:{pattern(each.path)[1:]}"
        f" {each.name}|{each.component}|{int(each.signed_in)}{_limit(limits.get(each.name))}"
        for each in operations_of(components)
    ]
    lines += [f"^(GET|HEAD):{pattern(path)[1:]} page|{owner}|0" for path, owner in PAGES.items() if owner in components]
    return "\n".join(lines) + "\n"


def _either(methods: tuple[str, ...]) -> str:
    return methods[0] if len(methods) == 1 else f"({'|'.join(methods)})"


def _limit(limit: RateLimit | None) -> str:
    return "" if limit is None else f"|{limit.count}|{_seconds(limit)}|{limit.scope}"


def _seconds(limit: RateLimit) -> int:
    return max(1, round(limit.per_seconds))


def paths_map(components: Iterable[Component]) -> str:
    """Lines ``^path$ methods`` of every path, for the answer to a wrong method."""
    components = tuple(components)
    methods: dict[str, list[str]] = {}
    for each in operations_of(components):
        methods.setdefault(pattern(each.path), []).extend(_methods(each))
    for path, owner in PAGES.items():
        if owner in components:
            methods[pattern(path)] = ["GET", "HEAD"]
    return "\n".join(f"{path} {','.join(sorted((*each, 'OPTIONS')))}" for path, each in methods.items()) + "\n"


def _periods(limits: Mapping[str, RateLimit]) -> tuple[int, ...]:
    """The distinct windows of all limits, in seconds."""
    return tuple(sorted({_seconds(limit) for limit in limits.values()}))


def tracks(limits: Mapping[str, RateLimit]) -> str:
    """Rules that choose the table of a limited request: one for each length of window."""
    return "\n".join(
        f"    http-request track-sc0 var(txn.counted) table limits_{period}"
        f" if limited {{ var(txn.period) -m int {period} }}"
        for period in _periods(limits)
    )


def tables(limits: Mapping[str, RateLimit], peers: Mapping[str, Address]) -> str:
    """The tables of limits, each bounded; several instances share them.

    An instance sends every count to the others (HAProxy's peers), within milliseconds. The last write wins, so if two
    instances get requests at the same moment, one of these may not be counted.
    """
    shared = " peers gateways" if len(peers) > 1 else ""
    lines: list[str] = []
    for period in _periods(limits):
        lines += [
            f"backend limits_{period}",
            f"    stick-table type string len {_COUNTED_BYTES_MAX} size {haproxy.TABLE_ENTRIES_MAX}"
            f" expire {period * 2}s store gpc0,gpt0{shared}",
            "",
        ]
    if shared:
        lines += ["peers gateways", *(f"    peer {name} {address}" for name, address in peers.items()), ""]
    return "\n".join(lines)


_COUNTED_BYTES_MAX: Final = 80  # an operation's name and an id or an address


def _answering(components: Iterable[Component]) -> set[str]:
    return {each.component for each in operations_of(components)} | set(PAGES.values())


def backends(components: Mapping[Component, tuple[Address, ...]]) -> str:
    """One backend per component that has operations or pages."""
    answering = _answering(components)
    lines: list[str] = []
    for component, addresses in components.items():
        if component not in answering:
            continue
        lines += [
            f"backend {component}",
            "    balance leastconn",
            "    option httpchk GET /healthz",
            "    http-check expect status 200",
            f"    {_SERVER}{_CUT_OFF if len(addresses) > 1 else ''}",
            f"    http-response set-var(proc.limit_{component}) res.hdr({LIMIT_HEADER})",
            f"    http-response del-header {LIMIT_HEADER}",
            *(f"    server {component}-{index} {address}" for index, address in enumerate(addresses, start=1)),
            "",
        ]
    return "\n".join(lines)


def admission(components: Iterable[Component], *, gateways: int, refuse: str) -> str:
    """Rules that refuse a request above its component's limit, as `core.policies.admission.admits` does.

    The limit in an instance's answers applies to each instance that is up, and each gateway gets its share of the sum.
    Before the first answer there is no limit.
    """
    lines: list[str] = []
    for component in sorted(_answering(components)):
        asked = f"if {{ var(txn.component) -m str {component} }}"
        lines += [
            f"    http-request set-var(txn.under_way) be_conn({component}),mul({gateways}) {asked}",
            f"    http-request set-var(txn.room) nbsrv({component}),mul(proc.limit_{component}) {asked}",
        ]
    return "\n".join(
        (
            *lines,
            "    acl writes method POST PUT PATCH DELETE",
            "    http-request set-var(txn.room) var(txn.room),mul(2) if writes { var(txn.room) -m found }",
            "    acl up var(txn.room) -m int gt 0",  # with no instance up, HAProxy answers 503 unavailable
            f"    http-request {refuse} if up {{ var(txn.under_way),sub(txn.room) -m int ge 0 }}",
        )
    )


def configuration(plan: StackPlan, process: Process) -> str:
    """The whole configuration of one instance."""
    gateway = plan.scenario.system.gateway
    words: dict[str, Any] = refusals()
    return filled(
        "haproxy/gateway.cfg",
        words
        | haproxy.words(plan, process, words, errors())
        | {
            "FOLDER": plan.folder(process.name),
            "ISSUER": tokens.ISSUER,
            "TOKEN_SECONDS": tokens.TOKEN_SECONDS,
            "CLOCK_SECONDS": tokens.CLOCK_SECONDS,
            "BODY_BYTES_MAX": BODY_BYTES_MAX,
            "BODY_SECONDS": BODY_SECONDS,
            "ORIGINS": origins(gateway.origins),
            "PREFLIGHT": preflight(gateway.origins),
            "TRACKS": tracks(gateway.limits),
            "TABLES": tables(gateway.limits, peers(plan)),
            "ADMISSION": admission(plan.components, gateways=gateway.instances, refuse=words["OVERLOADED"]),
            "BACKENDS": backends(plan.components),
        },
    )


def peers(plan: StackPlan) -> dict[str, Address]:
    """Where each instance receives the counts of the others."""
    instances = [each for each in plan.processes if each.server is Server.GATEWAY]
    if len(instances) < 2:
        return {}
    return {each.name: Address(host=each.address.host, port=plan.ports[f"{each.name}_peers"]) for each in instances}


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write configuration, maps and the key that verifies tokens."""
    files = {
        haproxy.CONFIGURATION: configuration(plan, process),
        "routes.map": routes_map(plan.components, plan.scenario.system.gateway.limits),
        "paths.map": paths_map(plan.components),
        "jwt.pub": plan.secrets.jwt_public_pem,
    }
    return haproxy.command(plan, process, files)


def ready(plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers and has seen every service healthy (if there are services)."""
    host = process.address.host
    try:
        with urllib.request.urlopen(process.address.url + "/healthz", timeout=1) as answer:
            answer.read()
        url = Address(host=host, port=plan.ports[f"{process.name}_metrics"]).url
        with urllib.request.urlopen(url + "/stats;csv", timeout=1) as answer:
            rows = list(csv.DictReader(io.StringIO(answer.read().decode().removeprefix("# "))))
    except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
        raise NotReady(str(error)) from error
    if not any(each.settings for each in plan.processes):
        return
    waiting = [
        row["svname"] for row in rows if row["type"] == "2" and (row["status"], row["check_status"]) != ("UP", "L7OK")
    ]
    if waiting:
        raise NotReady(f"backends not up: {', '.join(waiting)}")


def question(plan: StackPlan, process: Process) -> Probe:
    """The health check of this instance; the port for clients is shared by all, and they may fill it."""
    return haproxy.question(plan, process)


async def take_out(plan: StackPlan, frozen: Process) -> None:
    """Send no more requests to the components of a frozen process, and cut off those that wait for it.

    The checks add it again when it answers them. A gateway that cannot be reached relies on its own checks.
    """
    urls = plan.component_urls()
    commands: list[str] = []
    for member in frozen.settings.members if frozen.settings else ():
        component = Component(member.component)
        if component in _answering(plan.components):
            url = Address(host=frozen.address.host, port=member.listen.port).url
            server = f"{component}/{component}-{urls[component].index(url) + 1}"
            commands += [f"set server {server} health down", f"shutdown sessions server {server}"]
    for each in plan.processes:
        if each.server is Server.GATEWAY and commands:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_ADMIN_SECONDS):
                    await _command(plan.folder(each.name), "; ".join(commands))


async def _command(folder: Path, line: str) -> None:
    with probe.short(folder / haproxy.ADMIN) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line.encode() + b"\n")
    await reader.read()
    writer.close()


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to create."""
