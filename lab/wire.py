"""Measures delays that use no CPU of caller or callee: crossing loopback, and flushing to disk."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.profile import Delay, LinkDelay

_QUANTILES = (0.5, 0.99)
_ROUNDS = 3_000
_FLUSHES = 300
_PAUSE_SECONDS = 0.0005


def round_trip(cores: Sequence[int]) -> LinkDelay:
    """Delay of the loopback link: a round trip of 64 bytes between two processes on ``cores``, minus the CPU time that
    both use for it.

    Pauses between rounds let the peer sleep, so that the figure includes its wake-up, as it would for a server.
    """
    context = multiprocessing.get_context("fork")
    listener = socket.create_server(("127.0.0.1", 0))
    peer = context.Process(target=_echo, args=(listener, tuple(cores)), daemon=True)
    peer.start()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores) & before or before)
    try:
        with socket.create_connection(listener.getsockname()) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            rounds = [_round(connection) for _ in range(_ROUNDS)]
    finally:
        os.sched_setaffinity(0, before)
        peer.kill()  # it needs no orderly shutdown
        peer.join(timeout=5.0)
        listener.close()
    # the peer does the same work as this process: two system calls a round
    median, p99 = np.quantile([max(0.0, wall - 2 * own) for wall, own in rounds], _QUANTILES)
    return LinkDelay(link="loopback", median_seconds=float(median), p99_seconds=float(p99))


def flush(folder: Path) -> Delay:
    """Delay of a commit: write 8 kB and fdatasync, as a durable commit does, on the disk of ``folder``."""
    path = folder / "flush.probe"
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_FLUSHES):
            began = time.perf_counter()
            file.write(b"\0" * 8192)
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - began)
    path.unlink()
    median, p99 = np.quantile(seconds, _QUANTILES)
    return Delay(station="postgres.commit", median_seconds=float(median), p99_seconds=float(p99))


def _round(connection: socket.socket) -> tuple[float, float]:
    """Wall seconds and this process's CPU seconds of one round."""
    time.sleep(_PAUSE_SECONDS)
    began, cpu = time.perf_counter(), time.thread_time()
    connection.sendall(b"x" * 64)
    connection.recv(64)
    return time.perf_counter() - began, time.thread_time() - cpu


def _echo(listener: socket.socket, cores: tuple[int, ...]) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores) & before or before)
    connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(64):
            connection.sendall(data)
