"""How long a story lives, and in which order a tray shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from core.names import PhotoState

LIVES_MS: Final = 24 * 3_600_000
AUTHORS_MAX: Final = 200  # of one tray
_FAILED: Final = f'"state":"{PhotoState.FAILED}"'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrayStory:
    """One story in a tray; ``card`` is its encoded content, empty for a deleted story."""

    story_id: int
    author_id: int
    expires_ms: int
    card: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrayAuthor:
    """One author's part of the tray, oldest story first, as they are watched."""

    author_id: int
    unseen: bool
    stories: tuple[TrayStory, ...]


def expires_ms(created_ms: int) -> int:
    """The first millisecond after the story's end."""
    return created_ms + LIVES_MS


def alive(story_expires_ms: int, *, now_ms: int) -> bool:
    """Whether a story may still be shown."""
    return now_ms < story_expires_ms


def is_shown(story: TrayStory, *, viewer_id: int) -> bool:
    """Whether a viewer sees the story: one whose photo failed is visible to its author only."""
    # quotes within texts are escaped, so nothing but the photo's own state can match
    return story.author_id == viewer_id or _FAILED not in story.card


def tray(stories: Iterable[TrayStory], *, viewer_id: int, seen: Collection[int], now_ms: int) -> list[TrayAuthor]:
    """The viewer first, then authors with something unseen, then those with the newest story; at most `AUTHORS_MAX`.

    A story that is cached twice (by two writers) is shown once, in its longer form, which has the pictures; and not at
    all if one of them marks it as deleted.
    """
    stories = tuple(stories)
    deleted = {story.story_id for story in stories if not story.card}
    by_author: dict[int, dict[int, TrayStory]] = {}
    for story in stories:
        if story.story_id in deleted or not alive(story.expires_ms, now_ms=now_ms):
            continue
        if not is_shown(story, viewer_id=viewer_id):
            continue
        mine = by_author.setdefault(story.author_id, {})
        known = mine.get(story.story_id)
        if known is None or len(known.card) < len(story.card):
            mine[story.story_id] = story
    authors = [
        TrayAuthor(
            author_id=author_id,
            unseen=any(story_id not in seen for story_id in mine),
            stories=tuple(mine[story_id] for story_id in sorted(mine)),
        )
        for author_id, mine in by_author.items()
    ]
    authors.sort(key=lambda each: (each.author_id != viewer_id, not each.unseen, -each.stories[-1].story_id))
    return authors[:AUTHORS_MAX]
