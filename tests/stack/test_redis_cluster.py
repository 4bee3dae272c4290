"""A real Redis Cluster puts keys where `core.policies.shard` says."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.names import Key
from core.policies.shard import SLOTS, node_of_key
from stack import ports
from stack.install import tools
from tests.children import WITH_US
from tests.waiting import until

NODES = 3


def asked(port: int, *words: str) -> str:
    """One command, its simple answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire, wire.makefile("rb") as answer:
        encoded = [word.encode() for word in words]
        wire.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in encoded))
        return answer.readline().decode().strip()


@pytest.fixture(scope="module")
def cluster(data_folder: Path) -> Iterator[list[int]]:
    """Ports of a cluster's nodes, in the order in which they joined."""
    chosen = ports.choose([f"{kind}_{node}" for kind in ("node", "bus") for node in range(NODES)], {})
    found = [chosen[f"node_{node}"] for node in range(NODES)]
    running: list[subprocess.Popen[bytes]] = []
    server = str(tools.find("redis-server"))
    try:
        for node, port in enumerate(found):
            folder = data_folder / f"cluster-{node}"
            folder.mkdir()
            settings = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "cluster-enabled": "yes",
                        "cluster-port": chosen[f"bus_{node}"]}  # fmt: skip
            words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
            with (folder / "log").open("wb") as log:
                running.append(subprocess.Popen([*WITH_US, server, *words], stdout=log, stderr=subprocess.STDOUT))
        for port in found:
            until(lambda port=port: _answers(port), "a node of Redis")
        made = ["redis-cli", "--cluster", "create", *(f"127.0.0.1:{port}" for port in found), "--cluster-yes"]
        subprocess.run(made, check=True, capture_output=True, timeout=60)
        for port in found:
            until(lambda port=port: asked(port, "SET", "foo", "1").startswith(("+OK", "-MOVED")), "the cluster")
        yield found
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)


def _answers(port: int) -> bool:
    try:
        return asked(port, "PING") == "+PONG"
    except OSError:
        return False


def test_a_key_is_on_the_node_that_the_policy_names(cluster: list[int]) -> None:
    patterns = [value for name, value in vars(Key).items() if name.isupper()]
    names = ("user", "post", "start", "account", "subject", "group", "event")
    keys = [each.format(**dict.fromkeys(names, str(7_919 * n))) for each in patterns for n in range(1, 13)]
    edges = {round(node * SLOTS / NODES) + beside for node in (1, 2) for beside in (-1, 0)}
    at_the_edges = [f"edge:{n}" for n in range(100_000) if int(_slot(f"edge:{n}")) in edges][:40]

    assert not any(brace in key for key in keys for brace in "{}")
    assert {int(_slot(key)) for key in at_the_edges} == edges
    held: set[int] = set()
    for key in (*keys, *at_the_edges):
        node = node_of_key(key, NODES)
        held.add(node)
        assert asked(cluster[0], "CLUSTER", "KEYSLOT", key) == f":{_slot(key)}"
        assert asked(cluster[node], "SET", key, "1") == "+OK", key
        assert asked(cluster[(node + 1) % NODES], "SET", key, "1") == f"-MOVED {_slot(key)} 127.0.0.1:{cluster[node]}"
    assert held == set(range(NODES))


def _slot(key: str) -> int:
    # with as many nodes as slots every node holds one
    return node_of_key(key, SLOTS)
