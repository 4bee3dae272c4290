"""ClamAV's daemon: scans every photo. Its database here has the EICAR test file, alone and inside another file.

The full database takes a gigabyte of memory and changes every day; that belongs in a deployment, not in a test bed.

It gets complete photos, and none that the checks of the media worker refused. Fuzzy hashes of images are off: they
decode a photo in this process, without a limit on its memory, and no signature of ours needs them. A file that exceeds
a limit is reported, so that nothing passes without being scanned completely.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from core.policies import photo
from stack import probe
from stack.backing.folders import make, own
from stack.command import Command
from stack.failure import NotReady
from stack.install import tools
from stack.plan import Process, StackPlan
from stack.probe import Probe

#: As a hash of the file, and as bytes anywhere in a file of any type: a photo may contain it after its pixels.
_EICAR: Final = {
    "test.hdb": "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n",
    "test.ndb": "Eicar-Test:0:*:58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354414e444152442d"
    "414e544956495255532d544553542d46494c452124482b482a\n",
}
_THREADS: Final = photo.SCANS_AT_ONCE_MAX + 2  # and PING
_STREAM_BYTES_MAX: Final = photo.BYTES_MAX + 2**20  # so that the largest photo that upload accepts is below the limit
_SETTINGS: Final = """
TCPSocket {port}
TCPAddr {bind}
DatabaseDirectory {database}
Foreground yes
LogTime yes
MaxThreads {threads}
MaxQueue {queue}
MaxConnectionQueueLength 32
StreamMaxLength {stream_bytes}
MaxScanSize {scan_bytes}
MaxFileSize {stream_bytes}
MaxScanTime {milliseconds}
ScanImageFuzzyHash no
AlertExceedsMax yes
TemporaryDirectory {folder}
SelfCheck 0
ConcurrentDatabaseReload no
"""


def account() -> str:
    """The user to run it as: it reads untrusted data."""
    return "clamav" if os.geteuid() == 0 else ""


def settings(*, port: int, bind: str, folder: Path, database: Path) -> str:
    """Its configuration, with limits that match those of photos (`core.policies.photo`)."""
    return _SETTINGS.format(
        port=port,
        bind=bind,
        database=database,
        folder=folder,
        threads=_THREADS,
        queue=2 * _THREADS,
        stream_bytes=_STREAM_BYTES_MAX,
        scan_bytes=2 * _STREAM_BYTES_MAX,
        milliseconds=round(photo.SCAN_SECONDS_MAX * 1000),
    )


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write the database of signatures and the configuration."""
    folder = make(plan.folder(process.name), account())
    database = make(folder / "database", account())
    for name, signatures in _EICAR.items():
        (database / name).write_text(signatures, encoding="ascii")
    configuration = folder / "clamd.conf"
    configuration.write_text(
        settings(port=process.address.port, bind=plan.bind, folder=folder, database=database), encoding="utf-8"
    )
    own(configuration, account())
    return Command(
        argv=(str(tools.find("clamd")), f"--config-file={configuration}"),
        cwd=folder,
        user=account(),
        cores=plan.cores,
        data_bytes=photo.SCANNER_BYTES_MAX,
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
    """The health check of the running server."""
    return probe.clamd(process.address)


def settle(_plan: StackPlan, _process: Process) -> None:
    """Nothing to create."""
