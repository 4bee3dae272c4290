"""What the two kinds of HAProxy process have in common, the gateway and the object store's front."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from typing import Any, Final

from core.names import ADDRESS_CONNECTIONS_MAX, HEAD_BYTES_MAX, TARGET_BYTES_MAX
from stack import probe
from stack.backing.folders import make, own
from stack.command import Command
from stack.deployment import filled
from stack.install import tools
from stack.plan import Process, StackPlan
from stack.probe import Probe

CONFIGURATION: Final = "haproxy.cfg"  # in the folder of each process
ADMIN: Final = "admin.sock"  # there too; for the stack only
TABLE_ENTRIES_MAX: Final = 100_000
#: Connections of one process, of all clients together, if the system's limit of open files allows it.
_CONNECTIONS_MAX: Final = 8_000
_OTHER_FILES: Final = 500
#: Connections of one address that are accepted above its limit, so that they get an answer.
_ANSWERED_MAX: Final = 128
_DATA_BYTES: Final = 512 * 2**20
#: A path and query that is too long or has a character that must be encoded.
_ODD_TARGET: Final = rf"'[^!-~]|\A.{{{TARGET_BYTES_MAX + 1}}}'"
#: Header fields that are too long, or have a name with a character that is not allowed or a value with a control one.
_ODD_FIELDS: Final = (
    r"'(?m)^[^:\r\n]*[^][!#$%&*+.^_`|~0-9A-Za-z:\r\n-][^:\r\n]*:|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
    rf"|(?s)\A.{{{HEAD_BYTES_MAX + 1}}}'"
)


def account() -> str:
    """The user to run it as: it reads untrusted data."""
    return "haproxy" if os.geteuid() == 0 else ""


def words(plan: StackPlan, process: Process, refusals: Mapping[str, str], errors: str) -> dict[str, Any]:
    """The words of every configuration: ``COMMON`` (limits, time-outs, ``errors``, the operators' port), ``DOOR`` (what
    a frontend for clients refuses, by ``refusals``), listening address, and limits."""
    known: dict[str, Any] = {
        "CONNECTIONS_MAX": _connections_max(),
        "ADDRESS_CONNECTIONS_MAX": ADDRESS_CONNECTIONS_MAX,
        "CLOSED_FROM": ADDRESS_CONNECTIONS_MAX + _ANSWERED_MAX,
        "TABLE_ENTRIES_MAX": TABLE_ENTRIES_MAX,
        "TARGET_BYTES_MAX": TARGET_BYTES_MAX,
        "HEAD_BYTES_MAX": HEAD_BYTES_MAX,
        "ODD_TARGET": _ODD_TARGET,
        "ODD_FIELDS": _ODD_FIELDS,
        "ERRORS": errors,
        "BIND": plan.bind,
        "PORT": process.address.port,
        "METRICS_PORT": plan.ports[f"{process.name}_metrics"],
    }
    return {
        **known,
        "COMMON": filled("haproxy/common.cfg", known),
        "DOOR": filled("haproxy/door.cfg", {**refusals, **known}),
    }


def _connections_max() -> int:
    """HAProxy may open two files per connection: to the client and to a service."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS_MAX if hard < 0 else max(1_000, min(_CONNECTIONS_MAX, (hard - _OTHER_FILES) // 2))


def command(plan: StackPlan, process: Process, files: Mapping[str, str]) -> Command:
    """Write ``files`` into the process's folder, its `CONFIGURATION` among them, and say how to start it."""
    folder = make(plan.folder(process.name), account())
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        own(folder / name, account())
    return Command(
        argv=(str(tools.find("haproxy")), "-db", "-L", process.name, "-f", str(folder / CONFIGURATION)),
        cwd=folder,
        user=account(),
        cores=plan.cores,
        data_bytes=_DATA_BYTES,
        stop_seconds=3.0,
    )


def question(plan: StackPlan, process: Process) -> Probe:
    """The health check on its own socket: clients may fill its port."""
    return probe.haproxy(plan.folder(process.name) / ADMIN)
