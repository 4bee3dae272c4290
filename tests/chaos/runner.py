"""A runner to be killed: starts a warden that breaks feed_redis at once for a long time, and waits."""

from __future__ import annotations

import sys
import threading
import time

from chaos import control
from core.scenario import parse


def main() -> None:
    """Arguments: Toxiproxy's address. Prints the warden's pid when the fault acts."""
    scenario = parse(
        "{scenario: killed, traffic: {duration: 90s},"
        " faults: [{at: 1s, for: 80s, link: feed_redis, latency: 300ms, jitter: 100ms}]}"
    )
    acted = threading.Event()
    warden = control.start(
        scenario,
        t0_unix=time.time() + 2.0,  # a warden needs a moment to start
        toxiproxy_url=sys.argv[1],
        proxies={"feed_redis": ("feed_redis",)},
        on_event=lambda event: acted.set() if event.event == "fault_acted" else None,
    )
    acted.wait(30)
    sys.stdout.write(f"{warden.pid}\n")
    sys.stdout.flush()
    warden.wait(100)


if __name__ == "__main__":
    main()
