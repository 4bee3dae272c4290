"""The object store's front: HAProxy between clients and the S3 server, so that refusals are problem documents.

It is a process of its own, not another frontend of the gateway: its CPU time is then accounted to uploads alone, a
gateway that dies does not interrupt uploads, and the store has one public port whatever the number of gateways.
Processes of the stack connect directly to the store.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Final

from core import failures
from core.failures import Failure
from core.policies import photo
from stack.backing import haproxy
from stack.backing.origins import origins, preflight
from stack.backing.refusals import DOOR, FIELDS, answer, document, errors
from stack.command import Command
from stack.deployment import filled
from stack.failure import NotReady
from stack.plan import Process, StackPlan
from stack.probe import Probe

#: How long a body may take to begin, and to arrive: enough for 20 MB at 67 kB per second.
_BEGIN_SECONDS: Final = 10
_BODY_SECONDS: Final = 300
#: How long the store may take for each step of its answer, and when a refused request is sent to it again.
_STORE_SECONDS: Final = 15
_AGAIN_SECONDS: Final = 5
#: For Lua: one or two chunks of every concurrent upload.
_MEMORY_MEBIBYTES: Final = 256
_METHODS: Final = "GET,HEAD,OPTIONS,PUT"

#: What the front answers instead of the store: word in the configuration, kind, detail.
_REFUSALS: Final[dict[str, tuple[type[Failure], str]]] = {
    **{word: said for word, said in DOOR.items() if word != "TOO_MANY_CONNECTIONS"},
    "INVALID": (failures.Invalid, "The object store does not accept this request"),
    "ADDRESS_REFUSED": (
        failures.AddressRefused,
        "The method, the address, the length or a signed header field is not what was signed",
    ),
    "ADDRESS_EXPIRED": (failures.AddressExpired, "The signature of the address has expired"),
    "NOT_FOUND": (failures.NotFound, "No such object"),
    "METHOD_NOT_ALLOWED": (failures.MethodNotAllowed, f"Objects accept {_METHODS}"),
    "LENGTH_REQUIRED": (failures.LengthRequired, "Content-Length: expected the length of the object"),
    "ADDRESS_USED": (failures.AddressUsed, "An object has been put to this address"),
    "TOO_LARGE": (failures.TooLarge, f"Expected an object of at most {photo.BYTES_MAX} bytes"),
    "SLOW": (failures.SlowRequest, f"Expected the whole object within {_BODY_SECONDS} s"),
    "OVERLOADED": (failures.Overloaded, "The object store is busy"),
    "UNAVAILABLE": (failures.Unavailable, "The object store cannot be reached"),
    "STORAGE_FULL": (failures.StorageFull, "The object store has no space left"),
    "BAD_GATEWAY": (failures.BadGateway, "The object store closed the connection"),
    "DEADLINE_EXCEEDED": (failures.DeadlineExceeded, "The object store did not answer in time"),
}
#: What HAProxy itself answers to GET and HEAD instead of the store, whose answer it cannot read.
_READS: Final[dict[str, tuple[type[Failure], str]]] = {
    "READ_REFUSED": (
        failures.AddressRefused,
        "The address was not signed for this request, or its signature has expired",
    ),
    **{f"READ_{word}": _REFUSALS[word] for word in ("NOT_FOUND", "OVERLOADED", "INVALID", "BAD_GATEWAY")},
}
_FIELDS: Final[dict[str, dict[str, str]]] = {
    "METHOD_NOT_ALLOWED": {"Allow": _METHODS},
    "SLOW": {"Connection": "close"},
    "OVERLOADED": {"Retry-After": "1"},
    "UNAVAILABLE": {"Retry-After": "1"},
    "STORAGE_FULL": {"Retry-After": "10"},
    "BAD_GATEWAY": {"Retry-After": "1"},
}
#: What HAProxy itself answers, by status.
_ERRORS: Final[dict[int, tuple[type[Failure], str]]] = {
    400: (failures.Invalid, "This is not HTTP that the object store understands"),
    408: (failures.SlowRequest, f"Expected the object to begin within {_BEGIN_SECONDS} s"),
    403: (failures.Forbidden, "Not allowed"),
    500: (failures.Internal, "The object store could not continue with this request"),
    502: (failures.BadGateway, "The object store closed the connection"),
    503: (failures.Unavailable, "The object store cannot be reached"),
    504: (failures.DeadlineExceeded, "The object store did not answer in time"),
}


def configuration(plan: StackPlan, process: Process) -> str:
    """The configuration of HAProxy."""
    allowed, gateway = plan.scenario.system.gateway.origins, plan.gateway.url
    # unless the body is read, the client may not get the answer: front.lua reads it, except for a connection too many
    kind, detail = DOOR["TOO_MANY_CONNECTIONS"]
    at_once = {"TOO_MANY_CONNECTIONS": answer(kind, detail, FIELDS["TOO_MANY_CONNECTIONS"], gateway=gateway)}
    at_once |= {
        word: answer(kind, detail, "Retry-After 1" if kind.retryable else "", gateway=gateway)
        for word, (kind, detail) in _READS.items()
    }
    refusals = {word: f"use-service lua.{word}" for word in _REFUSALS}
    refusals |= {word: f"return {said}" for word, said in at_once.items()}
    words = {
        "FOLDER": plan.folder(process.name),
        "MEMORY_MEBIBYTES": _MEMORY_MEBIBYTES,
        "METHODS": _METHODS,
        "OBJECT_BYTES_MAX": photo.BYTES_MAX,
        "BEGIN_SECONDS": _BEGIN_SECONDS,
        "ORIGINS": origins(allowed),
        "PREFLIGHT": preflight(allowed),
        "OBJECTS": plan.store,
    }
    shared = haproxy.words(plan, process, refusals, errors(_ERRORS, gateway=gateway))
    return filled("haproxy/front.cfg", refusals | shared | words)


def script(plan: StackPlan) -> str:
    """The Lua script that forwards requests to the store."""
    words = {
        "OBJECT_BYTES_MAX": photo.BYTES_MAX,
        "BODY_SECONDS": _BODY_SECONDS,
        "STORE_SECONDS": _STORE_SECONDS,
        "AGAIN_SECONDS": _AGAIN_SECONDS,
        "ID": "@ID@",  # filled in by the script, for each request
        "REFUSALS": "\n".join(
            f"    {word} = {{ status = {kind.status}, fields = {_table(_FIELDS.get(word, {}))},"
            f" body = [==[{document(kind, detail, trace_id='@ID@', gateway=plan.gateway.url)}]==] }},"
            for word, (kind, detail) in _REFUSALS.items()
        ),
    }
    return filled("haproxy/front.lua", words)


def _table(fields: dict[str, str]) -> str:
    """As a table in Lua."""
    inner = ", ".join(f'["{name}"] = "{value}"' for name, value in fields.items())
    return f"{{ {inner} }}" if inner else "{}"


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write its configuration and its script."""
    files = {haproxy.CONFIGURATION: configuration(plan, process), "front.lua": script(plan)}
    return haproxy.command(plan, process, files)


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers."""
    try:
        with urllib.request.urlopen(process.address.url + "/healthz", timeout=1) as answered:
            answered.read()
    except (OSError, urllib.error.URLError) as error:
        raise NotReady(str(error)) from error


def question(plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server."""
    return haproxy.question(plan, process)


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to create."""
