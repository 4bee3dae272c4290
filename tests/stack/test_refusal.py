"""What a refusal costs the gateway, measured as calibration does: by a gateway whose peer has no room."""

from __future__ import annotations

import time
from pathlib import Path

from core import population, scenario
from lab.calibration import refusal
from loadtest import seeded
from records import scenarios
from stack import control
from tests.conftest import SCENARIO


def test_a_refusal_costs_the_gateway_a_small_part_of_a_millisecond(
    gateway_alone: control.RunningStack, data_folder: Path
) -> None:
    asked, work = scenarios.read(SCENARIO), data_folder / "refusal"
    _seeded(asked, work / "seeded")
    (work / "scenario.yaml").write_text(scenario.explain(asked), encoding="utf-8")
    # raises if requests with these tokens and posts are not refused for want of room
    seconds = refusal.measure(asked, gateway_alone, work, seconds=1.0)
    assert 5e-6 < seconds < 5e-4
    assert not (work / "gateway").exists()


def _seeded(asked: scenario.Scenario, folder: Path) -> None:
    """People and posts that do not exist: nobody looks, because each request is refused before."""
    people = population.draw_population(asked)
    folder.mkdir(parents=True)
    seeded.write(
        folder,
        summary=seeded.Summary(
            scenario=asked.name, seed=asked.seed, gateway="", people=people.people, follows=0, photos=0, posts=0,
            stories=0, tokens_expire_unix=time.time() + 3_600.0, seconds={},
        ),
        people=[
            seeded.SeededPerson(person=person, user_id=str(person), username=people.username(person), token="none")
            for person in range(people.people)
        ],
        posts=[
            seeded.SeededPost(post=post, post_id=str(post), person=0, media_id="1", image_url="/media/1", image_bytes=1)
            for post in range(people.posters * asked.population.posts_per_poster)
        ],
        stories=[],
        photos=[],
    )  # fmt: skip
