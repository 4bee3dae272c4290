"""ClamAV's daemon: scans every upload. Its database here holds one signature, the EICAR test file's.

The full database is a gigabyte in memory and changes by the day; that belongs to a deployment, not to a bench.
"""

from __future__ import annotations

import os
import socket
from typing import Final

from stack import probe
from stack.backing.folders import make, own
from stack.command import Command
from stack.failure import NotReady
from stack.install import tools
from stack.plan import Process, StackPlan
from stack.probe import Probe

_EICAR: Final = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n"
_SETTINGS: Final = """
TCPSocket {port}
TCPAddr {bind}
DatabaseDirectory {database}
Foreground yes
LogTime yes
MaxThreads 4
MaxQueue 16
MaxConnectionQueueLength 32
StreamMaxLength 64M
MaxScanSize 64M
MaxFileSize 64M
TemporaryDirectory {folder}
SelfCheck 0
ConcurrentDatabaseReload no
"""


def account() -> str:
    """Whom to run it as: it reads what strangers send."""
    return "clamav" if os.geteuid() == 0 else ""


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write the database of signatures and the configuration."""
    folder = make(plan.folder(process.name), account())
    database = make(folder / "database", account())
    (database / "test.hdb").write_text(_EICAR, encoding="ascii")
    configuration = folder / "clamd.conf"
    configuration.write_text(
        _SETTINGS.format(port=process.address.port, bind=plan.bind, database=database, folder=folder), encoding="utf-8"
    )
    own(configuration, account())
    return Command(
        argv=(str(tools.find("clamd")), f"--config-file={configuration}"),
        cwd=folder,
        user=account(),
        cores=plan.cores,
        data_bytes=512 * 2**20,
    )


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers PING."""
    try:
        with socket.create_connection((process.address.host, process.address.port), timeout=1) as wire:
            wire.sendall(b"zPING\0")
            answer = wire.recv(64)
    except OSError as error:
        raise NotReady(str(error)) from error
    if not answer.startswith(b"PONG"):
        raise NotReady(answer.decode(errors="replace").strip())


def question(_plan: StackPlan, process: Process) -> Probe:
    """What shows that it still works."""
    return probe.clamd(process.address)


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to make."""
