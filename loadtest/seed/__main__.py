"""``python -m loadtest.seed --scenario FILE --gateway URL --out DIR``: fills a stack with a scenario's data.

Progress is JSON lines on stdout. Exit codes: 0 done, 2 wrong arguments, 4 the system refused a request (the message on
stderr says which), 130 and 143 stopped by a signal; a second seeding continues where the first one stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from core.scenario import Scenario
from loadtest import address, progress, seeded
from loadtest.seed import settled, world
from loadtest.seed.api import SeedError, connected, each
from records.scenarios import read


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.seed", description="Fill a stack with a scenario's data.")
    parser.add_argument("--scenario", type=Path, required=True, help="scenario file")
    parser.add_argument("--gateway", required=True, help="URL of the gateway, on this machine")
    parser.add_argument("--out", type=Path, required=True, help="folder for the data that the traffic needs")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("VIPS_CONCURRENCY", "1")  # several photos are drawn in parallel instead
    try:
        scenario = read(arguments.scenario)
        gateway = address.parse(arguments.gateway)
        arguments.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        progress.complain(f"loadtest.seed: {error}")
        return 2
    return asyncio.run(_until_stopped(_seed(scenario, gateway, arguments.out)))


async def _until_stopped(work: Awaitable[None]) -> int:
    task = asyncio.ensure_future(work)
    stopped: list[int] = []

    def stop(number: int) -> None:
        stopped.append(number)
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except (SeedError, address.AddressError) as error:
        progress.complain(f"loadtest.seed: {error}")
        return 4
    except asyncio.CancelledError:
        return 128 + stopped[0] if stopped else 1
    return 0


async def _seed(scenario: Scenario, gateway: address.HttpAddress, out: Path) -> None:
    async with connected(gateway) as api:
        new = world.empty_world(scenario, api)
        await _timed(new, "people", new.sign_up)
        await _timed(new, "find", new.find_posts)

        # photos are processed while the follows are created
        both = (new.take_photos, new.follow)
        await _timed(new, "photos_and_follows", lambda: each(both, lambda work: work(), at_once=len(both)))
        await _timed(new, "posts", new.post)
        await _timed(new, "processing", lambda: settled.photos_processed(new))
        await _timed(new, "stories", new.tell_stories)
        await _timed(new, "fan_out", lambda: settled.posts_fanned_out(new))
        await _timed(new, "first_reads", new.read_first)
    photos = await asyncio.to_thread(new.upload_photos)
    summary = seeded.Summary(
        scenario=scenario.name,
        seed=scenario.seed,
        gateway=f"http://{gateway}",
        people=len(new.people),
        follows=new.people_of.follow_count,
        photos=len(new.media),
        posts=len(new.posts),
        stories=len(new.stories),
        tokens_expire_unix=new.tokens_expire_unix,
        seconds={name: round(value, 3) for name, value in new.seconds.items()},
    )
    seeded.write(out, summary=summary, people=new.people, posts=new.post_rows(), stories=new.stories, photos=photos)
    progress.tell("seeded", 1, 1, seconds=round(sum(new.seconds.values()), 3))


async def _timed(new: world.World, phase: str, work: Callable[[], Awaitable[None]]) -> None:
    started = time.monotonic()
    await work()
    new.seconds[phase] = time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
