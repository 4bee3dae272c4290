"""Rules for posts: their content, the names in their captions, and who may delete them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from core import text
from core.failures import FieldError
from core.names import PhotoState

MEDIA_MAX: Final = 10
CAPTION_MAX: Final = 2200  # characters
HASHTAGS_MAX: Final = 30  # of one post; further ones are plain text in the caption
HASHTAG_CHARACTERS_MAX: Final = 100
_SIGNS: Final = "#＃"
#: Characters before a sign that make it part of a word, an address or an HTML entity, not of a hashtag.
_INSIDE: Final = "#＃&/"
_USABLE: Final = frozenset({"processing", "succeeded"})


def wrong_fields(*, caption: str, media_ids: Sequence[str]) -> Iterator[FieldError]:
    """Everything that is wrong with the fields of a new post."""
    if len(caption) > CAPTION_MAX:
        yield FieldError(field="caption", detail=f"expected at most {CAPTION_MAX} characters, found {len(caption)}")
    elif caption and not text.shows(caption):
        yield FieldError(field="caption", detail="expected text that can be seen, or none")
    if not 1 <= len(media_ids) <= MEDIA_MAX:
        yield FieldError(field="media_ids", detail=f"expected 1 to {MEDIA_MAX} photos, found {len(media_ids)}")
    elif len(set(media_ids)) != len(media_ids):
        yield FieldError(field="media_ids", detail="expected each photo once")


def wrong_media(media_ids: Sequence[int], states: Mapping[int, str]) -> Iterator[FieldError]:
    """Photos that cannot be posted; ``states`` holds those that are the author's own."""
    for index, media_id in enumerate(media_ids):
        state = states.get(media_id)
        field = f"media_ids[{index}]"
        if state is None:
            yield FieldError(field=field, detail="no photo of yours has this id")
        elif state == "registered":
            yield FieldError(field=field, detail="this photo has not been uploaded and completed yet")
        elif state not in _USABLE:
            yield FieldError(field=field, detail="this photo could not be processed")


def is_shown(state: str, *, is_author: bool) -> bool:
    """Whether a reader sees a photo of this state: one that failed is visible to its author only."""
    return is_author or state != PhotoState.FAILED


def hashtags(caption: str) -> tuple[str, ...]:
    """Hashtags of a caption in lower case, in order, each once: ``"#Sun over #Ålesund"`` → ``("sun", "ålesund")``.

    A hashtag is a word of any script after a #, composed (NFC), not only digits or marks, and not too long.
    """
    found: dict[str, None] = {}
    at = 0
    while at < len(caption):
        if caption[at] not in _SIGNS or (at and (caption[at - 1] in _INSIDE or text.is_word(caption[at - 1]))):
            at += 1
            continue
        end = text.word_end(caption, at + 1)
        if end - at - 1 <= 2 * HASHTAG_CHARACTERS_MAX:
            tag = text.composed(text.tidy_joiners(text.composed(caption[at + 1 : end])).lower())
            if 1 <= len(tag) <= HASHTAG_CHARACTERS_MAX and text.shows(tag) and not tag.isdecimal():
                found[tag] = None
        at = max(end, at + 1)
    return tuple(found)[:HASHTAGS_MAX]
