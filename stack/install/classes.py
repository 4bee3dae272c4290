"""Archives Kafka's loaded classes (class data sharing), which halves the CPU time of its start.

The JVM writes the archive when a broker that was started for this ends. It depends on the Java version and on the jars;
if it does not match, Java starts without it.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from core.names import Server
from core.scenario import Scenario
from stack import keys, ports
from stack.backing import kafka
from stack.failure import NotReady, StackFailure
from stack.install import steps
from stack.plan import plan, port_names

_READY_SECONDS: Final = 90.0
_END_SECONDS: Final = 120.0


def keep() -> None:
    """Run a broker once, on loopback, and keep its classes; raises StackFailure."""
    steps.say("archive Kafka's classes …")
    began = time.monotonic()
    scenario = Scenario(scenario="classes")
    with tempfile.TemporaryDirectory(prefix="windtunnel-classes-") as folder:
        data = Path(folder)
        planned = plan(
            scenario,
            data / "none",
            data,
            ports.choose(port_names(scenario), {}),
            secrets=keys.load_or_make(data / "keys"),
            services=False,
            servers=(Server.KAFKA,),
        )
        process = planned.process(Server.KAFKA)
        command = kafka.prepare(planned, process)
        java, *rest = command.argv
        archive = kafka.classes()
        scratch = archive.with_name(f".{archive.name}.new")
        scratch.unlink(missing_ok=True)
        argv = [
            java,
            f"-XX:ArchiveClassesAtExit={scratch}",
            *(each for each in rest if "SharedArchiveFile" not in each),
        ]
        with (data / "kafka.log").open("wb") as log:
            broker = subprocess.Popen(argv, cwd=command.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _READY_SECONDS
            for step in (kafka.ready, kafka.settle):
                while True:
                    try:
                        step(planned, process)
                        break
                    except NotReady as error:
                        if time.monotonic() > deadline or broker.poll() is not None:
                            raise StackFailure("Kafka does not start", hint=str(error)) from error
                        time.sleep(0.1)
            broker.terminate()
            broker.wait(_END_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise StackFailure("Kafka does not write its classes in time", hint="try again") from error
        finally:
            broker.kill()
            broker.wait()
        if not scratch.exists():
            raise StackFailure("Java did not write the archive of Kafka's classes", hint="is this OpenJDK 17 or newer?")
        scratch.replace(archive)
    steps.say(f"archive Kafka's classes: done in {time.monotonic() - began:.0f} s")
