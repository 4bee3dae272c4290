"""Seeding creates all data once, however often it is started."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import pyvips

from core import population
from core.scenario import parse
from loadtest import seeded
from loadtest.seed import api
from tests.loadtest.conftest import SCENARIO, Double, run, start

PEOPLE, POSTERS, POSTS = 60, 12, 24


def test_repeated_seeding_creates_the_scenarios_data_once(double: Double, tmp_path: Path) -> None:
    scenario, out = tmp_path / "small.yaml", tmp_path / "seeded"
    scenario.write_text(SCENARIO)
    arguments = ("--scenario", scenario, "--gateway", double.url, "--out", out)
    code, err = run("loadtest.seed", *arguments)
    assert code == 0, err
    found, counts = seeded.read(out), double.seen()
    people = population.draw_population(parse(SCENARIO))
    assert [person.username for person in found.people] == [people.username(each) for each in range(PEOPLE)]
    assert counts["PUT /api/v1/users/{user_id}/follow"] == people.follow_count
    assert [post.post for post in found.posts] == list(range(POSTS))
    assert [post.person for post in found.posts] == [each % POSTERS for each in range(POSTS)]
    assert counts["PUT /uploads/{media_id}"] == POSTERS  # one photo each, reused
    assert counts["addresses of sign-ups"] == PEOPLE  # so no limit by address is reached
    assert len({post.media_id for post in found.posts}) == POSTERS
    assert len(found.stories) == POSTERS
    assert all(post.image_url.startswith(double.url) for post in found.posts)
    assert found.summary.tokens_expire_unix > 0
    assert {pyvips.Image.new_from_buffer(each, "").width for each in found.photos} == {160}

    code, err = run("loadtest.seed", *arguments)
    assert code == 0, err
    after, again = seeded.read(out), double.seen()
    assert (after.posts, after.stories) == (found.posts, found.stories)
    for operation in ("POST /api/v1/posts", "POST /api/v1/media"):
        assert again[operation] == counts[operation]


def test_a_seeding_that_broke_off_is_completed_by_the_next(double: Double, tmp_path: Path) -> None:
    scenario, out = tmp_path / "small.yaml", tmp_path / "seeded"
    scenario.write_text(SCENARIO)
    arguments = ("--scenario", scenario, "--gateway", double.url, "--out", out)
    double.behave({"POST /api/v1/stories": {"status": 500}})
    code, err = run("loadtest.seed", *arguments)
    assert code == 4
    assert "POST /api/v1/stories: answered 500" in err
    assert not (out / seeded.SUMMARY_FILE).exists()
    double.behave({})
    assert run("loadtest.seed", *arguments)[0] == 0
    assert double.seen()["POST /api/v1/posts"] == POSTS
    assert len(seeded.read(out).posts) == POSTS


def test_a_call_to_an_overloaded_server_is_repeated(double: Double, tmp_path: Path) -> None:
    scenario, out = tmp_path / "small.yaml", tmp_path / "seeded"
    scenario.write_text(SCENARIO)
    double.behave({"PUT /api/v1/users/{user_id}/follow": {"status": 503}})
    program = start("loadtest.seed", "--scenario", scenario, "--gateway", double.url, "--out", out)
    while program.next_line()["phase"] != "follows":
        pass
    double.behave({})
    code, err = program.end()
    assert code == 0, err


def test_a_stop_signal_ends_seeding(double: Double, tmp_path: Path) -> None:
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SCENARIO)
    double.behave({"POST /api/v1/auth/signup": {"delay_seconds": 20}})
    program = start("loadtest.seed", "--scenario", scenario, "--gateway", double.url, "--out", tmp_path / "seeded")
    program.next_line()
    program.process.send_signal(signal.SIGTERM)
    assert program.end()[0] == 143


def test_wrong_arguments_are_reported_in_one_line(tmp_path: Path) -> None:
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SCENARIO)
    code, err = run("loadtest.seed", "--scenario", scenario, "--gateway", "http://192.0.2.1", "--out", tmp_path)
    assert code == 2
    assert "expected a loopback address" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("", 0.0), ("1", 0.0), ("30", 30.0), ("3600", 60.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_seeding_waits_as_long_as_a_server_asks_whose_background_work_is_late(retry_after: str, seconds: float) -> None:
    assert api._stated_seconds(retry_after) == seconds
