"""The driver sends the schedule unchanged, and records what the clients saw."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import pytest

from core import traffic
from core.operations import steps_of
from core.run import Samples
from core.scenario import parse
from loadtest import record, seeded, spool
from records import run as runs
from tests.loadtest.conftest import SCENARIO, Setting, run, start
from tests.waiting import until

pytestmark = pytest.mark.alone

STEADY = SCENARIO.split("traffic:")[0] + (
    "traffic: {warm_up: 500ms, duration: 4s, rate: 50/s, arrivals: steady, timeout: 5s, mix: {feed.read: 100%}}\n"
)


def samples(setting: Setting) -> Samples:
    return runs.read_samples(setting.out / runs.SAMPLES_FILE)


def wait_for(unix_seconds: float) -> None:
    until(lambda: time.time() >= unix_seconds)


def test_what_is_sent_is_the_schedule_that_the_model_walks(driven: Setting) -> None:
    schedule, sent = traffic.draw_schedule(parse(SCENARIO)), samples(driven)
    first = sent.where((sent.step == 0) & (sent.request >= 0))
    order = np.argsort(first.request)
    assert np.array_equal(first.request[order], np.arange(len(schedule)))
    assert np.array_equal(first.at_seconds[order], schedule.at_seconds)
    expected = [steps_of(schedule.acts[act])[0] for act in schedule.act]
    assert first.operation[order].tolist() == expected
    assert (first.sent_seconds >= first.at_seconds).all()
    load = record.read_load(driven.out)
    assert (load.scheduled_count, load.sent_count, load.refused_count) == (len(schedule), len(schedule), 0)


def test_a_journeys_next_step_is_meant_to_start_when_the_one_before_ended(driven: Setting) -> None:
    sent = samples(driven)
    uploads = sorted({int(each) for each in sent.of("media.create").request})
    assert uploads
    for number in uploads:
        own = sent.where(sent.request == number)
        by_step = np.argsort(own.step)
        assert own.operation[by_step].tolist() == list(steps_of("media.upload"))
        ends = (own.at_seconds + own.latency_seconds)[by_step]
        assert own.at_seconds[by_step][1:] == pytest.approx(ends[:-1])


def test_the_ledger_holds_what_was_acknowledged(driven: Setting) -> None:
    lines = [json.loads(line) for line in (driven.out / record.ACKNOWLEDGED_FILE).read_text().splitlines()]
    sent = samples(driven)
    for operation in ("like.add", "post.create", "media.complete"):
        claims = [line for line in lines if line["operation"] == operation]
        assert len(claims) == len(sent.of(operation).answered())
    people = {person.person: person.user_id for person in seeded.read(driven.seeded).people}
    assert all(line["user_id"] == people[line["person"]] for line in lines)
    assert all("post_id" in line for line in lines if line["operation"] in ("like.add", "post.create"))
    viral = record.read_load(driven.out).viral_post_id
    assert viral in {line["post_id"] for line in lines if line["operation"] == "post.create"}
    assert viral in {line["post_id"] for line in lines if line["operation"] == "like.add"}


def test_a_server_frozen_for_two_seconds_shows_in_the_percentiles(setting: Setting) -> None:
    setting.scenario.write_text(STEADY)
    program = start("loadtest.drive", *setting.arguments())
    t0 = program.next_line()["t0_unix"]
    wait_for(t0 + 1.0)
    setting.double.freeze()
    try:
        wait_for(t0 + 3.0)
    finally:
        setting.double.thaw()
    program.end()
    assert record.read_load(setting.out).t0_unix == pytest.approx(t0, abs=1e-6)
    latencies = samples(setting).judged().latency_seconds
    # half of the requests arrived during the freeze, evenly spread: p75 waited for half of its two seconds
    assert len(latencies) == 200
    assert np.quantile(latencies, 0.75) > 0.8
    assert np.quantile(latencies, 0.95) > 1.5
    claims = json.loads((setting.out / record.HDR_FILE).read_text())["feed.read"]
    assert claims["p95"] > 1_500_000


ENDINGS = {
    "feed.read": ("GET /api/v1/feed", {"degraded": True}, "degraded", 200),
    "like.add": ("PUT /api/v1/posts/{post_id}/like", {"status": 429}, "refused", 429),
    "story.tray": ("GET /api/v1/stories/tray", {"status": 503}, "refused", 503),
    "search.users": ("GET /api/v1/search/users", {"status": 500}, "failed", 500),
    "image.read": ("GET /media/{media_id}/1080.jpg", {"drop": True}, "lost", 0),
    "media.create": ("POST /api/v1/media", {"delay_seconds": 3}, "timeout", 0),
}


def test_each_ending_is_recorded_under_its_name_and_no_request_is_sent_twice(setting: Setting) -> None:
    before = setting.double.seen()
    setting.double.behave({route: behaviour for route, behaviour, _, _ in ENDINGS.values()})
    run("loadtest.drive", *setting.arguments())
    sent, after = samples(setting), setting.double.seen()
    for operation, (route, _, outcome, status) in ENDINGS.items():
        own = sent.of(operation)
        assert len(own)
        assert set(own.outcome) == {outcome}, operation
        assert set(own.status) == {status}, operation
        assert after[route] - before.get(route, 0) == len(own), operation  # also of those whose connection broke
    assert not len(sent.of("object.put"))  # a journey ends where it fails
    claims = [json.loads(line) for line in (setting.out / record.ACKNOWLEDGED_FILE).read_text().splitlines()]
    assert {line["operation"] for line in claims} == {"post.create"}  # the viral post alone was acknowledged


def test_a_generator_that_was_held_up_voids_its_run(setting: Setting) -> None:
    setting.scenario.write_text(STEADY)
    program = start("loadtest.drive", *setting.arguments())
    t0 = program.next_line()["t0_unix"]
    wait_for(t0 + 0.5)
    os.kill(program.process.pid, signal.SIGSTOP)
    wait_for(t0 + 1.5)
    os.kill(program.process.pid, signal.SIGCONT)
    code, err = program.end()
    load = record.read_load(setting.out)
    assert code == 4
    assert "the generator lagged" in err
    assert load.void
    assert load.lag_p99_seconds > 0.5
    assert load.sent_count == load.scheduled_count  # late, but all of them: an open model drops nothing


def test_a_generator_without_room_refuses_and_voids_its_run(setting: Setting) -> None:
    setting.double.behave({"GET /api/v1/feed": {"delay_seconds": 0.5}})
    arguments = setting.arguments(only_operation="feed.read", rate=50, seconds=1, warm_up=0, inflight=3)
    code, err = run("loadtest.drive", *arguments)
    load = record.read_load(setting.out)
    assert code == 4
    assert "the generator refused" in err
    assert load.refused_count > 0
    assert load.sent_count + load.refused_count == load.scheduled_count
    assert len(samples(setting)) == load.sent_count


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_traffic_and_what_was_seen_is_kept(setting: Setting, number: int, code: int) -> None:
    setting.scenario.write_text(STEADY.replace("duration: 4s", "duration: 10m"))
    program = start("loadtest.drive", *setting.arguments())
    t0 = program.next_line()["t0_unix"]
    wait_for(t0 + 0.2)
    program.process.send_signal(number)
    assert program.end()[0] == code
    load = record.read_load(setting.out)
    assert load.void
    assert load.stopped == signal.Signals(number).name
    assert len(samples(setting)) == load.sent_count > 0


def test_of_a_generator_that_was_killed_everything_but_its_last_moment_is_kept(setting: Setting) -> None:
    setting.scenario.write_text(STEADY.replace("duration: 4s", "duration: 10m").replace("feed.read", "like.add"))
    program = start("loadtest.drive", *setting.arguments())
    t0 = program.next_line()["t0_unix"]
    wait_for(t0 + 1.5)
    program.process.kill()
    program.end()
    assert not (setting.out / record.LOAD_FILE).exists()
    with (setting.out / spool.FILE).open("ab") as file:
        file.write(b'{"sent_count": 9')  # killed while it wrote
    load = spool.recover(setting.out)
    assert load is not None
    assert load.void
    assert load.stopped == spool.KILLED
    assert record.read_load(setting.out) == load
    kept = samples(setting)
    assert len(kept) > 10
    assert len(kept) <= load.sent_count <= load.scheduled_count
    claims = (setting.out / record.ACKNOWLEDGED_FILE).read_text().splitlines()
    assert len(claims) == len(kept.answered())
    assert spool.recover(setting.out) is None  # there is nothing left to recover


def test_a_wrong_argument_is_reported_in_one_line_before_anything_is_sent(setting: Setting) -> None:
    before = setting.double.seen()
    code, err = run("loadtest.drive", *setting.arguments(gateway="http://198.51.100.1:80"))
    assert (code, "expected a loopback address" in err, "Traceback" in err) == (2, True, False), err
    assert setting.double.seen() == before
