"""Kafka in KRaft mode, one broker: the log that carries every event.

The broker tells a Kafka client where to connect next, so a proxied link needs a listener of its own whose advertised
port is the proxy's; otherwise the traffic would silently bypass the proxy. The heap is at most 384 MB.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from core.messages import TOPICS
from core.names import Server
from stack import probe
from stack.command import Command
from stack.failure import NotReady, StackFailure
from stack.install import tools
from stack.plan import Process, Proxy, StackPlan
from stack.probe import Probe

_HEAP: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms96m", "-Xmx384m")
_BOUNDS: Final = ("-XX:MaxMetaspaceSize=128m", "-XX:MaxDirectMemorySize=128m", "-XX:ReservedCodeCacheSize=64m")
#: A broker that was killed can register again only when its old session has ended, 9 s by default: by far the longest
#: part of its restart. One whose session ends because it was slow registers again with its next heartbeat.
_SESSION_MS: Final = 1_000
_LOGGING: Final = """
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""
#: After a kill every partition is recovered, with several calls of fsync each: recovery threads wait for the disk
#: concurrently. Empty records in the metadata (two per second by default) are needed for several controllers only.
_SETTINGS: Final = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
broker.session.timeout.ms={session}
broker.heartbeat.interval.ms={heartbeat}
metadata.max.idle.interval.ms=0
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
listeners=PLAIN://{bind}:{port},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=PLAIN://{host}:{port}{advertised}
listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={logs}
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=4
log.cleaner.dedupe.buffer.size=8388608
group.coordinator.threads=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
min.insync.replicas=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
num.partitions={partitions}
log.segment.bytes=67108864
log.retention.bytes=268435456
log.index.size.max.bytes=1048576
message.max.bytes=1048588
socket.request.max.bytes=16777216
"""


def classes() -> Path:
    """Path of the archive of loaded classes, if it was created (`stack.install.classes`)."""
    return tools.jars() / "classes.jsa"


def _listener(proxy: Proxy) -> str:
    return proxy.link.upper().replace("-", "_")


def prepare(plan: StackPlan, process: Process) -> Command:
    """Write the configuration and format the log's folder if it is new."""
    folder = plan.folder(process.name)
    logs = folder / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    proxied = tuple(proxy for proxy in plan.proxies if proxy.link.endswith(f"_{Server.KAFKA}"))
    configuration = folder / "server.properties"
    configuration.write_text(
        _SETTINGS.format(
            bind=plan.bind,
            host=process.address.host,
            port=process.address.port,
            controller=plan.ports["kafka_controller"],
            session=_SESSION_MS,
            heartbeat=_SESSION_MS // 4,
            listeners="".join(f",{_listener(p)}://{plan.bind}:{p.upstream.port}" for p in proxied),
            advertised="".join(f",{_listener(p)}://{p.listen}" for p in proxied),
            protocols="".join(f",{_listener(p)}:PLAINTEXT" for p in proxied),
            logs=logs,
            partitions=plan.scenario.system.kafka.partitions,
        ),
        encoding="utf-8",
    )
    (folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    java: tuple[str, ...] = (str(tools.find("java")), *_HEAP, *_BOUNDS, "-Djava.awt.headless=true")
    java += (f"-XX:ActiveProcessorCount={max(1, len(plan.cores))}",)
    java += (f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}", "-cp", f"{tools.jars()}/*")
    if classes().exists():
        java = (java[0], f"-XX:SharedArchiveFile={classes()}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off", *java[1:])
    if is_empty(plan, process):
        _format(java, configuration, logs)
    return Command(
        argv=(*java, "kafka.Kafka", str(configuration)),
        cwd=folder,
        cores=plan.cores,
        data_bytes=1280 * 2**20,
        stop_seconds=5.0,
    )


def is_empty(plan: StackPlan, process: Process) -> bool:
    """Whether its folder is not formatted, or is gone."""
    return not (plan.folder(process.name) / "logs" / "meta.properties").exists()


def _format(java: tuple[str, ...], configuration: Path, logs: Path) -> None:
    """Format the log's folder with Kafka's own tool, and keep the result: the next folder is a copy with new ids.

    The checkpoint has the version's features and no ids, so the copy is what the tool would write, 1.5 s faster.
    """
    kept = tools.jars() / "bootstrap.checkpoint"
    if kept.exists():
        logs.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, logs / kept.name)
        identity = f"node.id=1\ndirectory.id={_random_id()}\nversion=1\ncluster.id={_random_id()}\n"
        (logs / "meta.properties").write_text(identity, encoding="ascii")
        return
    argv = [*java, "kafka.tools.StorageTool", "format", "-t", _random_id(), "-c", str(configuration)]
    done = subprocess.run(argv, cwd=logs.parent, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StackFailure(f"Kafka cannot format {logs}: {said[-1] if said else 'no message'}")
    with suppress(OSError):  # a cache that cannot be written costs time only
        scratch = kept.with_name(f".{kept.name}.{os.getpid()}")
        shutil.copy(logs / kept.name, scratch)
        scratch.replace(kept)


def _random_id() -> str:
    """A random UUID in Kafka's format; those that begin with a dash are reserved."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def ready(_plan: StackPlan, process: Process) -> None:
    """Raise NotReady until it answers a request for metadata."""
    from aiokafka.admin import AIOKafkaAdminClient  # importing takes a third of a second, while the broker starts

    async def ask() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=str(process.address), request_timeout_ms=2000)
        try:
            await admin.start()
            await admin.list_topics()
        finally:
            await admin.close()

    _run(ask)


def question(_plan: StackPlan, process: Process) -> Probe:
    """The health check of the running server."""
    return probe.kafka(process.address)


def settle(plan: StackPlan, process: Process) -> None:
    """Create the topics of `core.messages` that are missing."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # slow, as in `ready`
    from aiokafka.errors import TopicAlreadyExistsError

    partitions = plan.scenario.system.kafka.partitions

    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=str(process.address), request_timeout_ms=10000)
        await admin.start()
        try:
            missing = sorted(set(TOPICS) - set(await admin.list_topics()))
            if missing:
                await admin.create_topics(
                    [NewTopic(name=name, num_partitions=partitions, replication_factor=1) for name in missing]
                )
        except TopicAlreadyExistsError:
            pass
        finally:
            await admin.close()

    _run(create)


def _run(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    from aiokafka.errors import KafkaError  # slow, as in `ready`

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it would log that the broker is not up yet
    try:
        asyncio.run(job())
    except (KafkaError, OSError, TimeoutError) as error:
        raise NotReady(str(error) or type(error).__name__) from error
