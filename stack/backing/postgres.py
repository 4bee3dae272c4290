"""PostgreSQL, the durable store. Each physical instance holds its share of the logical shards, one schema each.

``fsync`` stays on: what is acknowledged must survive, and figures measured without it would be useless.
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from core.names import USES, Component, Server
from stack import probe
from stack.backing.folders import make, own
from stack.command import Command
from stack.failure import NotReady, StackFailure
from stack.install import tools
from stack.plan import POSTGRES_DATABASE, POSTGRES_USER, Process, StackPlan
from stack.probe import Probe

_ACCOUNT: Final = "postgres"
_FIRST_PASSWORD: Final = "first"  # of a new cluster, until its first start
_MADE: Final = "windtunnel.made"  # in a cluster that is complete
_TEMPLATE: Final = threading.Lock()  # instances are prepared at the same time
#: Connections of a component outside of its pool, and those of tools and people.
_BESIDE_A_POOL: Final = 4
_OTHERS: Final = 50
_DATA_BYTES: Final = 512 * 2**20  # of each backend
# recovery_init_sync_method: after a kill it syncs what is not on the disk, 1,900 files one by one or all at once
_SETTINGS: Final = """
listen_addresses = '{bind}'
port = {port}
unix_socket_directories = ''
max_connections = {connections}
shared_buffers = 64MB
work_mem = 4MB
maintenance_work_mem = 32MB
max_wal_size = 512MB
min_wal_size = 64MB
wal_level = replica
max_wal_senders = 4
max_worker_processes = 4
max_parallel_workers_per_gather = 0
jit = off
statement_timeout = 60s
idle_in_transaction_session_timeout = 60s
recovery_init_sync_method = syncfs
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] '
track_io_timing = on
"""


def account() -> str:
    """The user to run it as: PostgreSQL refuses root."""
    return _ACCOUNT if os.geteuid() == 0 else ""


def prepare(plan: StackPlan, process: Process) -> Command:
    """Create the cluster if there is none, write its configuration; raises StackFailure when that fails."""
    program = tools.find("postgres")
    folder = plan.folder(process.name) / "cluster"
    if not (folder / _MADE).exists():
        make(folder.parent, account())
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one, from a start that was interrupted
        _copy(template(), folder)
        (folder / _MADE).touch()
    hosts = "127.0.0.1/32" if plan.bind == "127.0.0.1" else "0.0.0.0/0"
    files = {
        "windtunnel.conf": _SETTINGS.format(bind=plan.bind, port=process.address.port, connections=_connections(plan)),
        "postgresql.conf": "include 'windtunnel.conf'\n",
        "pg_hba.conf": f"host all all {hosts} scram-sha-256\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        own(folder / name, account())
    return Command(
        argv=(str(program), "-D", str(folder)),
        cwd=folder,
        user=account(),
        cores=plan.cores,
        data_bytes=_DATA_BYTES,
        stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
    )


def _connections(plan: StackPlan) -> int:
    """As many as all pools of services may open, and some for those outside of pools: relays, checks, people."""
    members = (member for each in plan.processes if each.settings for member in each.settings.members)
    users = sum(Server.POSTGRES in USES[Component(member.component)] for member in members)
    return users * (plan.scenario.system.shards.connections + _BESIDE_A_POOL) + _OTHERS


def template() -> Path:
    """A cluster fresh from initdb, kept in the cache: copying it saves a second of CPU time."""
    initdb = tools.find("initdb")
    version = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    kept = tools.cache() / f"postgres-{version.split()[2]}-cluster"
    with _TEMPLATE:
        if not kept.is_dir():
            kept.parent.mkdir(parents=True, exist_ok=True)
            # initdb runs as PostgreSQL's own user, which cannot enter the cache of root
            with tempfile.TemporaryDirectory(prefix="windtunnel-initdb-") as scratch:
                own(Path(scratch), account())
                _initialise(initdb, Path(scratch) / "cluster")
                _keep(Path(scratch) / "cluster", kept)
    return kept


def _keep(made: Path, kept: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{kept.name}.", dir=kept.parent))
    try:
        shutil.copytree(made, partial, dirs_exist_ok=True)
        partial.replace(kept)
    except OSError:
        if not kept.is_dir():  # otherwise another stack was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    entry = pwd.getpwnam(account()) if account() else None
    try:
        shutil.copytree(source, target)
    except shutil.Error as error:
        # one entry per file that failed: (from, to, why); the first stands for all
        why = str(error.args[0][0][2])
        shutil.rmtree(target, ignore_errors=True)
        full = any(f"[Errno {number}]" in why for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT))
        raise StackFailure(
            f"no space left for PostgreSQL in {target.parent}" if full else f"cannot make {target}: {why}",
            hint="free some space, or choose another --data folder",
        ) from error
    target.chmod(0o700)
    if entry:
        for folder, _, files in os.walk(target):
            for name in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118 - a thousand of them
                os.chown(name, entry.pw_uid, entry.pw_gid)


def _initialise(initdb: Path, folder: Path) -> None:
    entry = pwd.getpwnam(account()) if account() else None
    argv = [str(initdb), "-D", str(folder), "-U", POSTGRES_USER, "--auth=scram-sha-256", "--no-sync"]
    argv += ["--encoding=UTF8", "--locale=C", "--no-instructions"]
    with tempfile.NamedTemporaryFile("w") as password:
        password.write(_FIRST_PASSWORD)
        password.flush()
        own(Path(password.name), account())
        done = subprocess.run(
            [*argv, f"--pwfile={password.name}"],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            user=entry.pw_uid if entry else None,
            group=entry.pw_gid if entry else None,
            extra_groups=[] if entry else None,
        )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = next((line for line in said if "error" in line.lower()), said[-1] if said else "no message")
        raise StackFailure(f"initdb failed: {reason}", hint="is there space in the folder for temporary files?")


def ready(plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers a query."""
    try:
        with _connect(plan, process, "postgres") as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            _set_password(plan, process)
        raise NotReady(str(error).strip()) from error


def _set_password(plan: StackPlan, process: Process) -> None:
    """Replace the initial password of a new cluster by this stack's own."""
    try:
        with _connect(plan, process, "postgres", password=_FIRST_PASSWORD) as connection:
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(POSTGRES_USER), sql.Literal(plan.secrets.postgres_password)
                )
            )
    except psycopg.OperationalError as error:
        raise NotReady(str(error).strip()) from error


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server."""
    return probe.postgres(process.address)


def settle(plan: StackPlan, process: Process) -> None:
    """Create the database and the schemas of its logical shards."""
    with _connect(plan, process, "postgres") as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (POSTGRES_DATABASE,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(POSTGRES_DATABASE)))
    shards = plan.scenario.system.shards
    with _connect(plan, process, POSTGRES_DATABASE) as connection:
        statements = [
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {};").format(sql.Identifier(f"shard_{shard}"))
            for shard in range(process.index, shards.logical, shards.physical)
        ]
        connection.execute(sql.Composed(statements))


def _connect(
    plan: StackPlan, process: Process, database: str, *, password: str = ""
) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=process.address.host,
        port=process.address.port,
        user=POSTGRES_USER,
        password=password or plan.secrets.postgres_password,
        dbname=database,
        connect_timeout=2,
        autocommit=True,
    )
