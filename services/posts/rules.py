"""What a post may hold, what its caption names, who may take it down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from core.failures import FieldError

MEDIA_MAX: Final = 10
CAPTION_MAX: Final = 2200  # characters
HASHTAGS_MAX: Final = 30  # of one post; more are shown in the caption and lead nowhere
HASHTAG_CHARACTERS_MAX: Final = 100
#: Letters, digits and underscores after a # that does not stand within a word; not digits alone.
_HASHTAG: Final = re.compile(rf"(?<![\w#&/])#(\w{{1,{HASHTAG_CHARACTERS_MAX}}})(?!\w)")
_USABLE: Final = frozenset({"processing", "succeeded"})


def wrong_fields(*, caption: str, media_ids: Sequence[str]) -> Iterator[FieldError]:
    """Everything that is wrong with a new post at first sight."""
    if len(caption) > CAPTION_MAX:
        yield FieldError(field="caption", detail=f"expected at most {CAPTION_MAX} characters, found {len(caption)}")
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


def hashtags(caption: str) -> tuple[str, ...]:
    """Hashtags of a caption in lower case, in order, each once: ``"#Sun over #Ålesund"`` → ``("sun", "ålesund")``."""
    found = (match[1].lower() for match in _HASHTAG.finditer(caption))
    return tuple(dict.fromkeys(tag for tag in found if not tag.isdecimal()))[:HASHTAGS_MAX]
