"""Writes `docker-compose.yml` from the plan: ``python -m stack.compose > docker-compose.yml``.

One container per process of `windtunnel status`, with the same name, all from one image. The file is generated and
committed, and a test compares it with this module, so that names, ports and settings cannot drift from the processes.

Addresses are fixed within the stack's own network: a proxy or cache that resolved a name once keeps a valid address
when the container behind it is restarted.
"""

from __future__ import annotations

import argparse
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from core import niceness
from core.names import Component, Server
from core.policies import photo
from core.scenario import Scenario, ScenarioError
from records.scenarios import read
from stack import container
from stack.failure import StackFailure
from stack.keys import Secrets
from stack.plan import Address, Process, StackPlan

IMAGE: Final = "windtunnel:local"
SCENARIO: Final = "scenarios/viral_post_small.yaml"
_HEADER: Final = """\
# The whole stack in containers: docker compose up --build --wait
#
# Written by `python -m stack.compose > docker-compose.yml` from the plan of {scenario}:
# change the plan, not this file. One image (deploy/Dockerfile) has every server and service; each container runs one
# process of it. The API is at http://127.0.0.1:8080/api/v1, media at :8081, uploads at :8082. To use other ports, or to
# make them reachable from other machines, set
# WINDTUNNEL_GATEWAY_PORT, WINDTUNNEL_EDGE_PORT, WINDTUNNEL_OBJECTS_PORT; WINDTUNNEL_BIND (interface to listen on),
# WINDTUNNEL_HOST (name in URLs); WINDTUNNEL_NETWORK (first three numbers of the stack's own addresses).
"""
_MIB: Final = 2**20
_INTERPRETER_BYTES: Final = 128 * _MIB  # of stack.container itself, in every container
_SERVICE_BYTES: Final = 1024 * _MIB
#: Memory of each server; caches come on top from the scenario.
_SERVER_BYTES: Final[dict[Server, int]] = {
    Server.GATEWAY: 256 * _MIB,
    Server.POSTGRES: 1024 * _MIB,
    Server.REDIS: 192 * _MIB,
    Server.KAFKA: 896 * _MIB,
    Server.OBJECTS: 512 * _MIB,
    Server.FRONT: 256 * _MIB,
    Server.EDGE: 256 * _MIB,
    Server.SHIELD: 256 * _MIB,
    Server.TOXIPROXY: 256 * _MIB,
    Server.PROMETHEUS: 512 * _MIB,
    Server.CLAMD: photo.SCANNER_BYTES_MAX,
}
_NETWORK: Final = "${WINDTUNNEL_NETWORK:-10.213.77}"
_FIRST_ADDRESS: Final = 10
#: For a plan that is only inspected.
_NO_SECRETS: Final = Secrets(
    objects_access_key="",
    objects_secret_key="",
    postgres_password="",
    cursor_secret="",
    jwt_private_pem="",
    jwt_public_pem="",
)


def compose_file(scenario: Scenario, scenario_path: str) -> str:
    """The text of `docker-compose.yml`; raises StackFailure if containers cannot run the scenario."""
    planned = container.container_plan(scenario, scenario_path, _NO_SECRETS, {})
    services = {container.SECRETS: _secrets()}
    for number, process in enumerate(planned.processes):
        services[process.name] = _service(planned, process, scenario_path, _FIRST_ADDRESS + number)
    document = {
        "name": "windtunnel",
        "services": services,
        "networks": {"stack": {"ipam": {"config": [{"subnet": f"{_NETWORK}.0/24"}]}}},
        "volumes": {
            name: {} for name in ("keys", "shared_keys", *(each.name for each in planned.processes if _keeps(each)))
        },
    }
    text = yaml.dump(document, Dumper=_Plain, sort_keys=False, width=1000, default_flow_style=False)
    return _HEADER.format(scenario=scenario_path) + "\n" + text


class _Plain(yaml.SafeDumper):
    """Repeats equal parts, so that each container can be read on its own."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_multi_representer(StrEnum, lambda dumper, name: dumper.represent_str(str(name)))


def _secrets() -> dict[str, Any]:
    return {
        "image": IMAGE,
        "build": {"context": ".", "dockerfile": "deploy/Dockerfile"},
        "command": [container.SECRETS],
        "volumes": [f"keys:{container.KEYS}", f"shared_keys:{container.SHARED_KEYS}"],
        "network_mode": "none",
        "mem_limit": _mebibytes(_INTERPRETER_BYTES),
        "restart": "no",
    }


def _service(planned: StackPlan, process: Process, scenario_path: str, address: int) -> dict[str, Any]:
    after = dict.fromkeys(str(name) for name in process.after)
    if planned.proxies and process.server not in (Server.TOXIPROXY, Server.POSTGRES, Server.REDIS, Server.KAFKA):
        # a process that resolves a proxied name at its start must find it
        after[str(Server.TOXIPROXY)] = None
    waits: dict[str, Any] = {container.SECRETS: {"condition": "service_completed_successfully"}}
    waits |= {name: {"condition": "service_healthy"} for name in after}
    keys = "keys" if process.settings and process.settings.keys.jwt_private_key else "shared_keys"
    own = [f"{process.name}:{container.DATA / process.name}"] if _keeps(process) else []
    seconds = int(container.HEALTHY_SECONDS_MAX)
    service: dict[str, Any] = {
        "image": IMAGE,
        "command": [process.name],
        "hostname": process.name,
        "environment": {
            container.SCENARIO_VARIABLE: scenario_path,
            container.PUBLISHED_VARIABLE: " ".join(
                f"{server}=${{WINDTUNNEL_HOST:-127.0.0.1}}:{_published_port(server)}" for server in container.PUBLISHED
            ),
        },
        "volumes": [*own, f"{keys}:{container.KEYS}:ro"],
        "networks": {"stack": {"ipv4_address": f"{_NETWORK}.{address}"}},
        "depends_on": waits,
        # touched by stack.container whenever the process answers its own protocol (`ready` of stack/backing)
        "healthcheck": {
            "test": ["CMD-SHELL", f"find {container.HEALTHY} -newermt '-{seconds} seconds' | grep -q ."],
            "interval": "5s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "120s",
        },
        "mem_limit": _mebibytes(_memory_bytes(planned.scenario, process)),
        "pids_limit": 1024,
        "stop_grace_period": "15s",
        "restart": "unless-stopped",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }
    if process.niceness:  # niceness acts within a container only, and this between containers
        service["cpu_shares"] = niceness.WEIGHTS[process.niceness]
    ports = [
        f"${{WINDTUNNEL_BIND:-127.0.0.1}}:{_published_port(server)}:{way.port}"
        for server in container.PUBLISHED
        if (way := _way(planned, server)).host == process.address.host
    ]
    return {**service, "ports": ports} if ports else service


def _keeps(process: Process) -> bool:
    """Whether its data must outlive its container; caches and proxies start empty."""
    return process.server in (None, Server.POSTGRES, Server.KAFKA, Server.OBJECTS, Server.PROMETHEUS)


def _published_port(server: Server) -> str:
    return f"${{WINDTUNNEL_{server.upper()}_PORT:-{container.PUBLISHED[server]}}}"


def _way(planned: StackPlan, server: Server) -> Address:
    """Where the published port of ``server`` leads: to the server, or to its proxy."""
    return {Server.GATEWAY: planned.gateway, Server.EDGE: planned.edge, Server.OBJECTS: planned.objects}[server]


def _memory_bytes(scenario: Scenario, process: Process) -> int:
    if process.server is None:
        members = process.settings.members if process.settings else ()
        decodes = any(member.component == Component.MEDIA for member in members)
        return _INTERPRETER_BYTES + _SERVICE_BYTES + (_decoding_bytes(scenario) if decodes else 0)
    cached = {
        Server.REDIS: scenario.system.redis.memory_bytes,
        Server.EDGE: scenario.system.cdn.edge.size_bytes,
        Server.SHIELD: scenario.system.cdn.shield.size_bytes,
    }
    return _INTERPRETER_BYTES + _SERVER_BYTES[process.server] + cached.get(process.server, 0)


def _decoding_bytes(scenario: Scenario) -> int:
    """Memory of all decoders together."""
    light, heavy = (photo.MEMORY_BYTES_MAX[lane] for lane in (photo.Lane.LIGHT, photo.Lane.HEAVY))
    return scenario.system.media.workers * light + photo.HEAVY_WORKERS * heavy


def _mebibytes(count: int) -> str:
    return f"{-(-count // _MIB)}m"


def main(arguments: list[str]) -> int:
    """Write the file to stdout; returns 0, or 2 after one readable error."""
    parser = argparse.ArgumentParser(prog="python -m stack.compose", description=__doc__)
    parser.add_argument("--scenario", default=SCENARIO, help=f"scenario file, from the root (default {SCENARIO})")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(compose_file(read(Path(options.scenario)), options.scenario))
    except (StackFailure, ScenarioError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
