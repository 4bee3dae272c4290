"""Runs the load generator's programs: seeding through the public API, and driving the schedule."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from lab import child
from loadtest import record, spool
from present.progress import task
from stack.control import RunningStack

_SEED_SECONDS_MAX = 900.0
_TAIL_SECONDS = 60.0  # after the last arrival; clients time out well before

Meanwhile = Callable[[], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """A steady run of one operation, or of the scenario's mix. Two runs with one ``seed`` repeat the same requests; a
    repeated like changes nothing and costs less."""

    operation: str | None  # None: the mix
    rate_per_second: float
    seconds: float
    seed: int
    warm_up_seconds: float = 2.0
    people: tuple[int, ...] = ()  # who acts; empty: everybody


def seed(scenario_path: Path, stack: RunningStack, out: Path, *, meanwhile: Meanwhile | None = None) -> None:
    """Create the scenario's people, follows, photos and posts through the public API; raises UserError."""
    log = out / "seed.log"
    with task("seed") as report:
        ended = child.run(
            "loadtest.seed",
            ["--scenario", str(scenario_path), "--gateway", stack.gateway_url, "--out", str(out)],
            log=log,
            timeout_seconds=_SEED_SECONDS_MAX,
            on_line=lambda line: report(line.get("done", 0), line.get("total", 0), str(line.get("phase", ""))),
            meanwhile=meanwhile,
        )
    if ended.exit_code != 0:
        raise UserError(f"seeding failed (exit {ended.exit_code}):\n{child.last_lines(log)}", exit_code=4)


def drive(
    scenario_path: Path,
    stack: RunningStack,
    seeded: Path,
    out: Path,
    *,
    lead_seconds: float | None = None,
    duration_seconds: float,
    cores: Sequence[int],
    steady: Steady | None = None,
    meanwhile: Meanwhile | None = None,
    on_line: Callable[[dict[str, Any]], None] | None = None,
    stop_when: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Drive the schedule (or a steady run) and return ``load.json``; raises UserError when the generator failed.

    The generator begins as soon as it is ready, or ``lead_seconds`` later; its first line announces t0, and
    ``load.json`` records it.
    """
    log = out / "drive.log"
    arguments = ["--scenario", str(scenario_path), "--gateway", stack.gateway_url, "--media", stack.media_url]
    arguments += ["--seeded", str(seeded), "--out", str(out)]
    arguments += ["--lead", f"{lead_seconds:g}"] if lead_seconds is not None else []
    arguments += ["--cores", ",".join(map(str, cores))] if cores else []
    if steady is not None:
        arguments += ["--only-operation", steady.operation] if steady.operation is not None else []
        arguments += ["--rate", f"{steady.rate_per_second:g}", "--seconds", f"{steady.seconds:g}"]
        arguments += ["--seed", str(steady.seed), "--warm-up", f"{steady.warm_up_seconds:g}"]
        arguments += ["--people", ",".join(map(str, steady.people))] if steady.people else []
    ended = child.run(
        "loadtest.drive",
        arguments,
        log=log,
        timeout_seconds=duration_seconds + _TAIL_SECONDS,
        cores=cores,
        on_line=on_line,
        meanwhile=meanwhile,
        stop_when=stop_when,
    )
    if not (out / record.LOAD_FILE).exists():
        raise UserError(f"the load generator failed (exit {ended.exit_code}):\n{child.last_lines(log)}", exit_code=4)
    return _read(out)


def recorded(out: Path) -> dict[str, Any] | None:
    """``load.json`` of a generator that ended abnormally, or None if there is none."""
    if not (out / record.LOAD_FILE).exists() and spool.recover(out) is None:
        return None
    return _read(out)


def _read(out: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((out / record.LOAD_FILE).read_text(encoding="utf-8"))
    return result
