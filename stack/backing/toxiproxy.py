"""Toxiproxy: proxies the links that faults of the scenario name, and no others, because each proxy costs a hop."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from stack import probe
from stack.command import Command
from stack.failure import NotReady
from stack.install import tools
from stack.plan import Process, StackPlan
from stack.probe import Probe


def prepare(plan: StackPlan, process: Process) -> Command:
    """Nothing to write: it gets its proxies over HTTP when it is ready."""
    folder = plan.folder(process.name)
    folder.mkdir(parents=True, exist_ok=True)
    return Command(
        argv=(str(tools.find("toxiproxy")), "-host", plan.bind, "-port", str(process.address.port), "-proxy-metrics"),
        cwd=folder,
        env={"GOMEMLIMIT": "128MiB", "GOMAXPROCS": str(max(1, len(plan.cores))), "LOG_LEVEL": "warn"},
        cores=plan.cores,
        data_bytes=512 * 2**20,
    )


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers with its version."""
    try:
        with urllib.request.urlopen(process.address.url + "/version", timeout=1) as answer:
            answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise NotReady(str(error)) from error


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server."""
    return probe.http(process.address, "/version")


def settle(plan: StackPlan, process: Process) -> None:
    """Create the proxies; those that exist already are left as they are. Raises NotReady when one was refused."""
    if not plan.proxies:
        return
    wanted = [
        {"name": proxy.name, "listen": f"{plan.bind}:{proxy.listen.port}", "upstream": str(proxy.upstream)}
        for proxy in plan.proxies
    ]
    request = urllib.request.Request(
        process.address.url + "/populate",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            made = {proxy["name"] for proxy in json.load(answer)["proxies"]}
    except (OSError, urllib.error.URLError) as error:
        raise NotReady(str(error)) from error
    missing = {proxy.name for proxy in plan.proxies} - made
    if missing:
        raise NotReady(f"proxies not created: {', '.join(sorted(missing))}")
