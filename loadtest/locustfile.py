"""Locust's own command line: ``locust -f loadtest/locustfile.py --scenario FILE --gateway URL --media URL --seeded DIR
--out DIR``, with its web page, or ``--headless``, or spread by ``--processes N`` or ``--master`` and ``--worker``.

`loadtest.drive` does the same without a web page, in one process, and is what `lab` calls.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas  # noqa: F401 - pyarrow imports it with its first column; if a worker imported it only when it writes its
from locust import events  # record, it would send no heartbeat meanwhile and the master would count it as lost

from loadtest import progress
from loadtest.session import open_session, settle
from loadtest.shape import OneEach
from loadtest.sharing import Sharing
from loadtest.users import RUN_ATTRIBUTE, Dispatcher

__all__ = ["Dispatcher", "OneEach"]


def add_arguments(parser: Any) -> None:
    """Add the options of a run."""
    parser.add_argument("--scenario", required=True, help="scenario file", include_in_web_ui=False)
    parser.add_argument("--gateway", required=True, help="URL of the gateway", include_in_web_ui=False)
    parser.add_argument("--media", required=True, help="URL of the CDN's edge", include_in_web_ui=False)
    parser.add_argument("--seeded", required=True, help="folder of loadtest.seed", include_in_web_ui=False)
    parser.add_argument("--out", required=True, help="folder for the record", include_in_web_ui=False)
    parser.add_argument("--t0-unix", type=float, help="Unix time of time 0, in seconds", include_in_web_ui=False)


def prepare(environment: Any, **_: Any) -> None:
    """Read all inputs once, before the test starts."""
    options = environment.parsed_options
    try:
        session = open_session(
            scenario_file=Path(options.scenario),
            gateway=options.gateway,
            media=options.media,
            seeded_folder=Path(options.seeded),
            out=Path(options.out),
        )
    except (ValueError, OSError) as error:
        progress.complain(str(error))
        sys.exit(2)
    settle(urgent=session.spin)
    Sharing(environment, session, wanted_t0_unix=options.t0_unix)


def conclude(environment: Any, **_: Any) -> None:
    """Set the exit code: 0 for a valid run, 2 for wrong arguments, 4 for a void run."""
    sharing = getattr(environment, RUN_ATTRIBUTE, None)
    if sharing is None:
        return
    sharing.gather()  # Locust may quit without announcing a stop
    if sharing.failure:
        progress.complain(sharing.failure)
        environment.process_exit_code = 2
    else:
        environment.process_exit_code = 0 if sharing.load is not None and not sharing.load.void else 4


_hooks: Any = events  # Locust's hooks have no types
_hooks.init_command_line_parser.add_listener(add_arguments)
_hooks.init.add_listener(prepare)
_hooks.quitting.add_listener(conclude)
