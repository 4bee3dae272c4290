"""Acts of several requests: which request comes next, and what the ledger keeps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core import population, traffic
from core.names import Outcome
from core.operations import API, steps_of
from core.scenario import parse
from loadtest.acts import Acts, Answer, Request
from loadtest.seeded import Seeded, SeededPerson, SeededPost, Summary
from tests.loadtest.conftest import SCENARIO

_IMAGE = "http://127.0.0.1:9/media/x.jpg"
_ANSWERS: dict[str, Any] = {
    "media.create": {
        "media": {"id": "m1", "state": "registered"},
        "upload": {"url": "http://127.0.0.1:9/uploads/m1?signature=s", "headers": {"If-None-Match": "*"}},
    },
    "object.put": {},
    "media.complete": {"media": {"id": "m1", "state": "processing"}},
    "post.create": {"post": {"id": "p1"}},
    "post.delete": None,
    "story.create": {"story": {"id": "s1"}},
    "story.delete": None,
    "media.delete": None,
}


def acts_of(journey: str) -> Acts:
    read = parse(SCENARIO.replace("media.upload: 8%", f"{journey}: 8%"))
    people = population.draw_population(read)
    summary = Summary(
        scenario="small", seed=3, gateway="", people=people.people, follows=0, photos=1, posts=people.people, stories=0,
        tokens_expire_unix=0.0, seconds={},
    )  # fmt: skip
    return Acts(
        scenario=read,
        schedule=traffic.draw_schedule(read),
        people=people,
        seeded=Seeded(
            summary=summary,
            people=tuple(
                SeededPerson(person=n, user_id=f"u{n}", username=f"n{n}", token=f"t{n}") for n in range(people.people)
            ),
            posts=tuple(
                SeededPost(
                    post=n, post_id=f"q{n}", person=n, media_id=f"o{n}", image_url="http://127.0.0.1:9/x", image_bytes=1
                )
                for n in range(people.people)
            ),
            stories=(),
            photos=(b"\xff\xd8\xff\xd9",),
        ),
        nonce="n",
    )


def sent(acts: Acts, journey: str, *, failing: str = "") -> list[Request]:
    """The requests of the first such act of the schedule, when ``failing`` gets an error."""
    schedule = acts.schedule
    number = next(each for each in range(len(schedule)) if schedule.acts[int(schedule.act[each])] == journey)
    act, found = acts.of(number), []
    request = next(act)
    try:
        while True:
            found.append(request)
            failed = request.operation == failing
            request = act.send(
                Answer(
                    outcome=Outcome.FAILED if failed else Outcome.OK,
                    status=409 if failed else 200,
                    body=msgspec.json.encode(_ANSWERS[request.operation]),
                )
            )
    except StopIteration:
        return found


@pytest.mark.parametrize("journey", ["media.upload", "post.withdraw", "story.withdraw", "media.withdraw"])
def test_a_journey_is_sent_step_by_step_and_ends_at_the_first_that_fails(journey: str) -> None:
    acts = acts_of(journey)
    assert tuple(each.operation for each in sent(acts, journey)) == steps_of(journey)
    for at, step in enumerate(steps_of(journey)):
        assert tuple(each.operation for each in sent(acts, journey, failing=step)) == steps_of(journey)[: at + 1]


@pytest.mark.parametrize(
    ("journey", "path", "names"),
    [
        ("post.withdraw", f"{API}/posts/p1", {"post_id": "p1", "media_id": "m1"}),
        ("story.withdraw", f"{API}/stories/s1", {"story_id": "s1", "media_id": "m1"}),
        ("media.withdraw", f"{API}/media/m1", {"media_id": "m1"}),
    ],
)
def test_the_ledger_keeps_only_the_deletion_of_what_is_deleted(journey: str, path: str, names: dict[str, str]) -> None:
    requests = sent(acts_of(journey), journey)
    assert [each.operation for each in requests if each.claim is not None] == [steps_of(journey)[-1]]
    last = requests[-1]
    assert (last.method, last.path) == ("DELETE", path)
    assert last.claim is not None
    assert names.items() <= last.claim.items()
    put = next(each for each in requests if each.operation == "object.put")
    assert put.headers["If-None-Match"] == "*"
