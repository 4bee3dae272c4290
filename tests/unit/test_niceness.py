"""Background work has a smaller share of a core than readers, never none, and one table says which work it is."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from core import niceness, operations
from core.names import Component, Server
from core.policies.photo import Lane
from core.scenario import processes
from records import scenarios
from services.kit.threads import nicer_threads
from services.media.events.pool import WorkerPool
from services.media.rules.checks import checked
from services.search.store.index import Index
from tests.conftest import SCENARIO
from tests.service.media.photos import jpeg


def own_niceness() -> int:
    """Of this thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def of_all_threads() -> list[int]:
    """Niceness of each thread of this process."""
    tasks = [int(path.name) for path in Path("/proc/self/task").iterdir()]
    return [os.getpriority(os.PRIO_PROCESS, each) for each in tasks]


def test_components_that_serve_an_operation_are_for_readers_and_all_others_are_in_the_background() -> None:
    serving = {operation.component for operation in operations.OPERATIONS.values()}
    assert set(niceness.COMPONENTS) == set(Component) - serving
    assert not set(niceness.SERVERS) & serving


def test_a_weight_is_four_fifths_of_the_one_before() -> None:
    assert niceness.WEIGHTS[0] == 1024
    assert len(niceness.WEIGHTS) == 20
    for before, after in pairwise(niceness.WEIGHTS):
        assert before / after == pytest.approx(1.25, rel=0.05)


def test_background_work_gets_a_tenth_of_the_core_beside_two_busy_readers_and_slow_photos_get_less() -> None:
    reader, background = niceness.WEIGHTS[0], niceness.WEIGHTS[niceness.BACKGROUND]
    assert background / (2 * reader + background) >= 0.1
    assert niceness.DECODERS[Lane.HEAVY] > niceness.DECODERS[Lane.LIGHT]


def test_a_process_is_as_nice_as_its_least_nice_component() -> None:
    assert niceness.of_components([Component.MEDIA, Component.FANOUT]) == niceness.BACKGROUND
    assert niceness.of_components([Component.MEDIA, Component.FEED]) == 0


def test_every_process_of_a_scenario_has_a_niceness_whatever_its_number_and_region() -> None:
    read = scenarios.read(SCENARIO)
    nice = {name for name in processes.all_of(read) if processes.niceness_of(read, name)}
    assert nice == {"workers", "kafka", "clamd", "prometheus"}
    placement = replace(read.system.placement, instances={"workers": 2})
    several = replace(read, system=replace(read.system, placement=placement))
    assert processes.niceness_of(several, "eu/workers-2") == niceness.BACKGROUND
    assert processes.niceness_of(several, "postgres_0_replica_1") == niceness.of_server(Server.POSTGRES)


def test_a_pool_of_nicer_threads_is_nicer_than_its_process_and_nothing_else_is() -> None:
    before = own_niceness()
    threads = nicer_threads(1, name="nicer", by=3)
    assert threads.submit(own_niceness).result() == min(19, before + 3)
    threads.shutdown()
    assert own_niceness() == before


async def test_the_search_index_is_written_by_nicer_threads(tmp_path: Path) -> None:
    index = Index(tmp_path)
    before = of_all_threads()
    await index.open()
    nicer = min(19, own_niceness() + niceness.INDEXING)
    assert of_all_threads().count(nicer) > before.count(nicer)
    await index.close()


async def test_a_decoder_is_nicer_than_its_process_by_what_it_is_told() -> None:
    pool = WorkerPool(workers=1, nicer=3)
    try:
        assert (await pool.render(checked(jpeg(100, 100)))).renderings
        assert os.getpriority(os.PRIO_PROCESS, pool._free[0].pid) == min(19, own_niceness() + 3)
    finally:
        await pool.close()
