"""Prometheus: scrapes the services, the gateway, the object store's front, Toxiproxy and itself; keeps one hour."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any, Final

import yaml

from core.names import Server
from stack import exporter, probe
from stack.addresses import LOOPBACK, Address
from stack.command import Command
from stack.failure import NotReady
from stack.install import tools
from stack.plan import Process, StackPlan
from stack.probe import Probe

_INTERVAL: Final = "10s"  # a scrape costs the services a few milliseconds: not more often than needed


def scrape_configuration(plan: StackPlan) -> dict[str, Any]:
    """Prometheus's configuration of what it scrapes."""

    def target(address: str, **labels: str) -> dict[str, Any]:
        return {"targets": [address], "labels": labels}

    services = [
        target(url.removeprefix("http://"), component=str(component))
        for component, urls in plan.component_urls().items()
        for url in urls
    ]
    servers = {process.server: process for process in plan.processes if process.server}
    jobs: list[dict[str, Any]] = [
        {"job_name": "prometheus", "static_configs": [target(str(servers[Server.PROMETHEUS].address))]}
    ]
    if services:
        # the services add their component to every sample themselves
        jobs.append({"job_name": "services", "honor_labels": True, "static_configs": services})
    for server in (Server.GATEWAY, Server.FRONT):
        instances = [process for process in plan.processes if process.server is server]
        addresses = [f"{each.address.host}:{plan.ports[f'{each.name}_metrics']}" for each in instances]
        if addresses:
            jobs.append({"job_name": str(server), "static_configs": [target(address) for address in addresses]})
    if exporter.PORT in plan.ports:
        supervisor = Address(host=LOOPBACK, port=plan.ports[exporter.PORT])
        jobs.append({"job_name": "supervisor", "static_configs": [target(str(supervisor))]})
    if Server.TOXIPROXY in servers:
        jobs.append({"job_name": "toxiproxy", "static_configs": [target(str(servers[Server.TOXIPROXY].address))]})
    return {"global": {"scrape_interval": _INTERVAL, "scrape_timeout": "3s"}, "scrape_configs": jobs}


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write its configuration."""
    folder = plan.folder(process.name)
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(scrape_configuration(plan), sort_keys=False), encoding="utf-8")
    return Command(
        argv=(
            str(tools.find("prometheus")),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            "--storage.tsdb.retention.time=1h",
            "--storage.tsdb.retention.size=256MB",
            f"--web.listen-address={plan.bind}:{process.address.port}",
            "--log.level=warn",
        ),
        cwd=folder,
        env={"GOMEMLIMIT": "256MiB", "GOMAXPROCS": "1"},
        cores=plan.cores,
        data_bytes=1024 * 2**20,
    )


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it says so."""
    try:
        with urllib.request.urlopen(process.address.url + "/-/ready", timeout=1) as answer:
            answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise NotReady(str(error)) from error


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server."""
    return probe.http(process.address, "/-/healthy")


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to create."""
