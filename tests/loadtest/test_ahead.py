"""What an operation needs is prepared before the clock starts, and then only the operation is sent."""

from __future__ import annotations

import pytest

from records import run as runs
from tests.loadtest.conftest import Setting, run


def _seen_since(setting: Setting, before: dict[str, int]) -> dict[str, int]:
    after = setting.double.seen()
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}


def _drive(setting: Setting, operation: str) -> tuple[int, str]:
    return run(
        "loadtest.drive",
        *setting.arguments(only_operation=operation, rate=20, seconds=1, warm_up=0, seed=5),
        "--no-spin",
    )


@pytest.mark.parametrize(
    ("operation", "made", "left"),
    [
        ("object.put", ("POST /api/v1/media",), "PUT /uploads/{media_id}"),
        (
            "media.complete",
            ("POST /api/v1/media", "PUT /uploads/{media_id}"),
            "POST /api/v1/media/{media_id}/complete",
        ),
    ],
)
def test_the_steps_before_a_part_of_a_journey_are_done_ahead(
    setting: Setting, operation: str, made: tuple[str, ...], left: str
) -> None:
    before = setting.double.seen()
    code, said = _drive(setting, operation)
    assert code in (0, 4), said  # 4: this machine was too busy for exact timing
    sent = runs.read_samples(setting.out / runs.SAMPLES_FILE)
    assert len(sent) > 5
    assert set(sent.operation.tolist()) == {operation}
    assert set(sent.outcome.tolist()) == {"ok"}
    assert _seen_since(setting, before) == {name: len(sent) for name in (*made, left)}


def test_what_cannot_be_prepared_ends_the_run_with_the_reason(setting: Setting) -> None:
    setting.double.behave({"POST /api/v1/media": {"status": 403}})
    code, said = _drive(setting, "media.complete")
    assert code == 2
    assert "media.complete: " in said
    assert "could not be prepared" in said
    assert "media.create failed (403)" in said


def test_what_is_refused_for_want_of_room_is_sent_again_ahead(setting: Setting) -> None:
    setting.double.behave({"POST /api/v1/media": {"status": 503, "times": 3}})
    code, said = _drive(setting, "media.complete")
    assert code in (0, 4), said
    sent = runs.read_samples(setting.out / runs.SAMPLES_FILE)
    assert len(sent) > 5
    assert set(sent.outcome.tolist()) == {"ok"}


def test_people_who_are_named_are_the_only_ones_who_act(setting: Setting) -> None:
    arguments = setting.arguments(only_operation="post.create", rate=30, seconds=1, warm_up=0, people="2")
    before = setting.double.seen()
    code, said = run("loadtest.drive", *arguments, "--no-spin")
    assert code in (0, 4), said
    assert _seen_since(setting, before)["POST /api/v1/posts"] > 5
    lines = (setting.out / "acknowledged.jsonl").read_text().splitlines()
    assert len(lines) > 5
    assert all('"person":2,' in line.replace(" ", "") for line in lines)


def test_somebody_who_is_not_there_cannot_act(setting: Setting) -> None:
    code, said = run(
        "loadtest.drive", *setting.arguments(only_operation="post.create", rate=30, seconds=1, people="60")
    )
    assert code == 2
    assert "expected 0 to 59" in said
