"""The folder that seeding writes: people, posts and tokens, for the traffic and for the checks after it.

::

    people.jsonl    {"person", "user_id", "username", "token"}       line k is person k
    posts.jsonl     {"post", "post_id", "person", "media_id", "image_url", "image_bytes"}   line p is post index p
    stories.jsonl   {"story_id", "person"}
    photos/         JPEG files to upload under load
    seeded.json     summary; written last: a folder without it is not complete

Ids are text, as the API has them; ``person`` and ``post`` are the numbers of `core.population` and `core.traffic`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

SUMMARY_FILE: Final = "seeded.json"


class SeededPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person who signed up."""

    person: int
    user_id: str
    username: str
    token: str


class SeededPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post, and the variant of its photo that a reader's phone shows."""

    post: int
    post_id: str
    person: int  # its author
    media_id: str
    image_url: str
    image_bytes: int


class SeededStory(msgspec.Struct, frozen=True, kw_only=True):
    """A story."""

    story_id: str
    person: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """``seeded.json``."""

    scenario: str
    seed: int
    gateway: str
    people: int
    follows: int
    photos: int
    posts: int
    stories: int
    tokens_expire_unix: float  # the first of them
    seconds: dict[str, float]  # wall time by phase
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """The folder, read back."""

    summary: Summary
    people: tuple[SeededPerson, ...]
    posts: tuple[SeededPost, ...]
    stories: tuple[SeededStory, ...]
    photos: tuple[bytes, ...]


class NotSeededError(ValueError):
    """The folder holds no complete seeded data; the message says what is missing."""


Row = TypeVar("Row", bound=msgspec.Struct)


def write(
    folder: Path,
    *,
    summary: Summary,
    people: Iterable[SeededPerson],
    posts: Iterable[SeededPost],
    stories: Iterable[SeededStory],
    photos: Iterable[bytes],
) -> None:
    """Write a folder; earlier data in it is replaced."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY_FILE).unlink(missing_ok=True)
    for stale in (folder / "photos").glob("*.jpg"):
        stale.unlink()
    for index, photo in enumerate(photos):
        (folder / "photos" / f"photo-{index}.jpg").write_bytes(photo)
    _write_lines(folder / "people.jsonl", people)
    _write_lines(folder / "posts.jsonl", posts)
    _write_lines(folder / "stories.jsonl", stories)
    (folder / SUMMARY_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")


def read(folder: Path) -> Seeded:
    """Read a folder; raises NotSeededError."""
    try:
        return Seeded(
            summary=msgspec.json.decode((folder / SUMMARY_FILE).read_bytes(), type=Summary),
            people=_read_lines(folder / "people.jsonl", SeededPerson),
            posts=_read_lines(folder / "posts.jsonl", SeededPost),
            stories=_read_lines(folder / "stories.jsonl", SeededStory),
            photos=tuple(path.read_bytes() for path in sorted((folder / "photos").glob("*.jpg"))),
        )
    except (OSError, msgspec.DecodeError) as error:
        raise NotSeededError(f"{folder} holds no complete seeded data: {error}") from error


def _write_lines(path: Path, rows: Iterable[msgspec.Struct]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def _read_lines(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    return tuple(msgspec.json.decode(line, type=kind) for line in path.read_bytes().splitlines())
