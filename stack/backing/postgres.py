"""PostgreSQL: durable truth. Each physical instance holds its share of the logical shards, one schema each.

``fsync`` stays on: what is acknowledged must survive, and a figure measured without it would be worth nothing.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from stack.backing.folders import own
from stack.command import Command
from stack.failure import NotReady, StackFailure
from stack.install import tools
from stack.plan import POSTGRES_DATABASE, POSTGRES_USER, Process, StackPlan

_ACCOUNT: Final = "postgres"
_DATA_BYTES: Final = 512 * 2**20  # of each backend
_SETTINGS: Final = """
listen_addresses = '{bind}'
port = {port}
unix_socket_directories = ''
max_connections = 160
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
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] '
track_io_timing = on
"""


def account() -> str:
    """Whom to run it as: PostgreSQL refuses root."""
    return _ACCOUNT if os.geteuid() == 0 else ""


def prepare(plan: StackPlan, process: Process) -> Command:
    """Make the cluster where there is none, write its configuration; raises StackFailure when initdb fails."""
    program = tools.find("postgres")
    folder = plan.folder(process.name) / "cluster"
    if not (folder / "PG_VERSION").exists():
        _initialise(tools.find("initdb"), folder, plan)
    configuration = folder / "windtunnel.conf"
    configuration.write_text(_SETTINGS.format(bind=plan.bind, port=process.address.port), encoding="utf-8")
    (folder / "postgresql.conf").write_text("include 'windtunnel.conf'\n", encoding="utf-8")
    hosts = "127.0.0.1/32" if plan.bind == "127.0.0.1" else "0.0.0.0/0"
    (folder / "pg_hba.conf").write_text(f"host all all {hosts} scram-sha-256\n", encoding="utf-8")
    for path in (configuration, folder / "postgresql.conf", folder / "pg_hba.conf"):
        own(path, account())
    return Command(
        argv=(str(program), "-D", str(folder)),
        cwd=folder,
        user=account(),
        cores=plan.cores,
        data_bytes=_DATA_BYTES,
        stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
    )


def _initialise(initdb: Path, folder: Path, plan: StackPlan) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    own(folder.parent, account())
    shutil.rmtree(folder, ignore_errors=True)  # a half-made one, from a start that was cut off
    with tempfile.NamedTemporaryFile("w", dir=folder.parent) as password:
        password.write(plan.secrets.postgres_password)
        password.flush()
        own(Path(password.name), account())
        argv = [str(initdb), "-D", str(folder), "-U", POSTGRES_USER, f"--pwfile={password.name}"]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--wal-segsize=16"]
        entry = pwd.getpwnam(account()) if account() else None
        done = subprocess.run(
            argv,
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
        shutil.rmtree(folder, ignore_errors=True)
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = next((line for line in said if "error" in line.lower()), said[-1] if said else "no message")
        if "No space left" in done.stderr:
            raise StackFailure(f"no space left for PostgreSQL in {folder.parent}", mend="free some, or use --data")
        raise StackFailure(f"initdb failed for {folder}: {reason}", mend="see `windtunnel logs supervisor`")


def ready(plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers a query."""
    try:
        with _connect(plan, process, "postgres") as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError as error:
        raise NotReady(str(error).strip()) from error


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


def _connect(plan: StackPlan, process: Process, database: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=process.address.host,
        port=process.address.port,
        user=POSTGRES_USER,
        password=plan.secrets.postgres_password,
        dbname=database,
        connect_timeout=2,
        autocommit=True,
    )
