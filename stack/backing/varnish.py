"""Varnish, twice: the CDN's edge and its shield. Both use the same VCL; they differ in size and origin."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from core import failures
from core.failures import Failure
from core.names import Server
from stack import probe
from stack.backing.folders import make, own
from stack.command import Command
from stack.deployment import filled
from stack.failure import NotReady, StackFailure
from stack.install import tools
from stack.keys import write_private
from stack.plan import Process, StackPlan
from stack.probe import Probe

_END: Final = '"}'  # of a document
_OVERHEAD_BYTES: Final = 512 * 2**20  # threads' stacks and workspaces above the cache
_PARAMETERS: Final = (
    "thread_pools=1",
    "thread_pool_min=8",
    "thread_pool_max=200",
    "vsl_space=8M",
    "thread_stats_rate=1",  # runs read the counters, so workers must not delay them
    "http_gzip_support=off",  # images do not shrink
    "default_ttl=60",
)


def account() -> str:
    """The user to run it as: it compiles and runs C, and does not need root."""
    return "vcache" if os.geteuid() == 0 else ""


def _workdir(data: Path, name: str) -> Path:
    return data / name / "work"


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write its VCL."""
    tier = process.server
    if tier not in (Server.EDGE, Server.SHIELD):
        raise ValueError(f"{process.name} is not a tier of the CDN")
    folder = make(plan.folder(process.name), account())
    upstream = plan.shield if tier is Server.EDGE else plan.origin
    cdn = plan.scenario.system.cdn
    size = (cdn.edge if tier is Server.EDGE else cdn.shield).size_bytes
    page = folder / "tier.vcl"
    words = {
        "HOST": upstream.host,
        "PORT": upstream.port,
        "TTL": int(cdn.ttl_seconds),
        "TIER": str(tier),
        "PURGE_KEY": plan.secrets.purge_key,
        "NOT_FOUND": _document(plan, failures.NotFound, "No such photo", "req"),
        "METHOD_NOT_ALLOWED": _document(plan, failures.MethodNotAllowed, "Photos are read by GET and HEAD", "req"),
        "UNAVAILABLE": _document(plan, failures.Unavailable, "The photo cannot be read now", "req"),
        "UNAVAILABLE_BEHIND": _document(plan, failures.Unavailable, "The photo cannot be read now", "bereq"),
    }
    write_private(page, filled("varnish/tier.vcl", words).encode())
    own(page, account())
    workdir = make(_workdir(plan.data, process.name), account())
    argv = [str(tools.find("varnishd")), "-F", "-j", "none", "-n", str(workdir), "-f", str(page), "-T", "none"]
    argv += ["-a", f"http={plan.bind}:{process.address.port}", "-s", f"cache=malloc,{size}"]
    argv += ["-s", "Transient=malloc,16M"]
    for parameter in _PARAMETERS:
        argv += ["-p", parameter]
    return Command(
        argv=tuple(argv),
        cwd=folder,
        user=account(),
        cores=plan.cores,
        data_bytes=size + _OVERHEAD_BYTES,
        stop_seconds=3.0,
    )


def _document(plan: StackPlan, kind: type[Failure], detail: str, request: str) -> str:
    """A problem document in VCL; its trace id is that of ``request``, its ``type`` the gateway's page."""
    said = {
        "type": plan.gateway.url + kind.type_uri(),
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "trace_id": "",
    }
    text = json.dumps(said, separators=(",", ":"))
    # long strings: {"…"} may end in a quote, and """…""" may contain a quote and a brace
    return f'{{"{text.removesuffix(_END)}"}} + {request}.xid + """{_END}"""'


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers HTTP."""
    try:
        with urllib.request.urlopen(process.address.url + "/healthz", timeout=1) as answer:
            answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise NotReady(str(error)) from error


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server; it waits when all threads wait for a slow store."""
    return probe.http(process.address, "/healthz", may_wait=True)


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to create: a cache starts cold."""


def counters(data: Path, tier: Server) -> tuple[int, int]:
    """Hits and misses of the tier (edge or shield) of the stack in ``data`` since it started.

    Raises StackFailure when the tier does not run.
    """
    argv = [str(tools.find("varnishstat")), "-n", str(_workdir(data, tier)), "-j", "-t", "2"]
    argv += ["-f", "MAIN.cache_hit", "-f", "MAIN.cache_miss"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    if done.returncode != 0:
        raise StackFailure(f"{tier} gives no counters: {done.stderr.strip()}", hint="is the stack up?")
    counters = json.loads(done.stdout)["counters"]
    return int(counters["MAIN.cache_hit"]["value"]), int(counters["MAIN.cache_miss"]["value"])
