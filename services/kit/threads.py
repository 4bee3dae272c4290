"""Threads that leave the processor to the rest of their process."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor


def nicer_threads(count: int, *, name: str, by: int) -> ThreadPoolExecutor:
    """A pool of threads, each nicer by ``by`` than the one that starts it; threads that they start are so too."""
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_be_nicer, initargs=(by,))


def _be_nicer(by: int) -> None:
    thread = threading.get_native_id()  # Linux keeps a niceness for each thread
    os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + by)
