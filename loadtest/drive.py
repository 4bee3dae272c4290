"""``python -m loadtest.drive``: sends a scenario's traffic to a seeded stack and records what the clients saw.

It runs Locust in this process, without its web page. Exit codes: 0 sent as scheduled, 2 wrong arguments, 4 void (the
record says why), 130 and 143 stopped by a signal (the record holds everything up to that moment).
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import gevent
from locust.env import Environment  # importing locust patches this process for gevent, before anything else is used

from loadtest import ahead, plan, progress
from loadtest.plan import LoadPlanError
from loadtest.session import LEAD_SECONDS, LoadSession, open_session, settle
from loadtest.sharing import Sharing
from loadtest.users import Dispatcher

_REPORT_EVERY_SECONDS = 0.5
_CALIBRATION_WARM_UP_SECONDS = 2.0
_STOP_SECONDS = 1.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    arguments = _parser().parse_args(argv)
    try:
        session = _session(arguments)
        cores = tuple(int(core) for core in arguments.cores.split(",")) if arguments.cores else ()
        settle(cores, urgent=session.spin)
        if arguments.only_operation is not None:
            session = dataclasses.replace(session, ahead=ahead.requests_ahead(session, arguments.only_operation))
        total = len(session.share())
        t0_unix_ns = session.t0_unix_ns(arguments.t0_unix, lead_seconds=arguments.lead)
    except (ValueError, OSError) as error:
        progress.complain(f"loadtest.drive: {error}")
        return 2
    environment = Environment(user_classes=[Dispatcher])
    runner = environment.create_local_runner()
    sharing = Sharing(environment, session, wanted_t0_unix=t0_unix_ns / 1e9)
    stopped: list[int] = []

    def stop(number: int) -> None:
        stopped.append(number)
        gevent.spawn(sharing.stop, signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop, number)
    progress.tell("drive", 0, total, t0_unix=t0_unix_ns / 1e9)
    runner.start(1, spawn_rate=1)
    _wait(sharing, total, stopped)
    runner.quit()
    return _conclude(sharing, total, stopped)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.drive", description="Send a scenario's traffic.")
    parser.add_argument("--scenario", type=Path, required=True, help="scenario file")
    parser.add_argument("--gateway", required=True, help="URL of the gateway, on this machine")
    parser.add_argument("--media", required=True, help="URL of the CDN's edge, on this machine")
    parser.add_argument("--seeded", type=Path, required=True, help="folder that loadtest.seed wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the record")
    parser.add_argument("--t0-unix", type=float, help="Unix time of time 0, in seconds; the warm-up ends then")
    parser.add_argument(
        "--lead", type=float, default=LEAD_SECONDS, help="without --t0-unix: seconds to wait before the warm-up"
    )
    parser.add_argument("--cores", default="", help="cores to run on, such as 1 or 1,3")
    parser.add_argument(
        "--no-spin", action="store_true", help="sleep instead of spinning before arrivals, for a shared core"
    )
    parser.add_argument("--inflight", type=int, help="concurrent requests; more are refused, which makes the run void")
    parser.add_argument("--only-operation", help="send only this operation; needs --rate and --seconds")
    parser.add_argument("--rate", type=float, help="send at this steady mean rate per second; needs --seconds")
    parser.add_argument("--seconds", type=float, help="and for so long")
    parser.add_argument("--warm-up", type=float, default=_CALIBRATION_WARM_UP_SECONDS, help="seconds of warm-up")
    parser.add_argument("--people", default="", help="only these people send it, such as 3,17")
    parser.add_argument(
        "--seed", type=int, help="with --rate: the seed instead of the scenario's: different acts by the same people"
    )
    return parser


def _session(arguments: argparse.Namespace) -> LoadSession:
    session = open_session(
        scenario_file=arguments.scenario,
        gateway=arguments.gateway,
        media=arguments.media,
        seeded_folder=arguments.seeded,
        out=arguments.out,
        spin=False if arguments.no_spin else None,
        inflight_max=arguments.inflight,
    )
    if arguments.only_operation is None and arguments.rate is None:
        return session
    if arguments.rate is None or arguments.seconds is None:
        raise LoadPlanError("--only-operation, --rate: expected --rate and --seconds together")
    alone = plan.steady(
        session.scenario,
        arguments.only_operation,
        rate_per_second=arguments.rate,
        seconds=arguments.seconds,
        warm_up_seconds=arguments.warm_up,
    )
    people = tuple(int(person) for person in arguments.people.split(",")) if arguments.people else ()
    return dataclasses.replace(session, scenario=alone, seed=arguments.seed, people=people)


def _wait(sharing: Sharing, total: int, stopped: list[int]) -> None:
    """Report progress until the traffic has ended; after a signal wait only for a limited time."""
    patience = _STOP_SECONDS
    seen = 0
    while not sharing.finished.wait(timeout=_REPORT_EVERY_SECONDS if not stopped else 0.1):
        if stopped:
            patience -= 0.1
            if patience <= 0 or sharing.dispatch is None:
                return
        elif sharing.dispatch is not None:
            rows = sharing.dispatch.recorder.rows
            fresh = rows[seen:]
            seen += len(fresh)
            # what a drill's abort condition needs: operation, outcome, intended start, latency
            progress.tell("drive", sharing.dispatch.done_count, total, recent=[(r[2], r[3], r[5], r[7]) for r in fresh])


def _conclude(sharing: Sharing, total: int, stopped: list[int]) -> int:
    if sharing.failure:
        progress.complain(f"loadtest.drive: {sharing.failure}")
        return 2
    if sharing.load is not None:
        for reason in sharing.load.reasons:
            progress.complain(f"void: {reason}")
        progress.tell(
            "drive",
            sharing.load.sent_count,
            total,
            void=sharing.load.void,
            reasons=list(sharing.load.reasons),
            lag_p99_seconds=sharing.load.lag_p99_seconds,
        )
    if stopped:
        return 128 + stopped[0]
    return 0 if sharing.load is not None and not sharing.load.void else 4


if __name__ == "__main__":
    sys.exit(main())
