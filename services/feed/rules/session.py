"""Where a reader's session stands: what the cursor carries so that pages never repeat or skip a post.

Followed posts are read newest first, so one id says how far the session has come. Two things need more: posts that were
put off (a third in a row of one author) stay above that id only if those given in their stead are listed; and
recommendations have no order that lasts, so each one given leaves a mark of 32 bits. What is posted meanwhile is newer
than the session's position and shows when a new session begins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from core.ids import ID_MAX
from core.streams import mix

Mode = Literal["ranked", "chronological"]

#: Recommendations of one session: their marks make up most of the cursor (2 KiB), and the cursor is part of a URL.
GIVEN_MAX: Final = 512


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page begins."""

    mode: Mode = "ranked"
    before: int = ID_MAX  # followed posts with smaller ids come next …
    ahead: tuple[int, ...] = ()  # … except for these, which were given already
    given: bytes = b""  # marks of the recommendations given
    page: int = 0  # pages given so far


def mark(post_id: int) -> int:
    """32 bits that stand for a post; two posts share one with a probability of 2⁻³², and then one is not shown."""
    return mix(post_id) & 0xFFFFFFFF


def marks_of(given: bytes) -> frozenset[int]:
    """Read the marks of a position."""
    count = len(given) // 4
    return frozenset(struct.unpack(f"<{count}I", given[: 4 * count]))


def with_marks(given: bytes, post_ids: Iterable[int]) -> bytes:
    """Add recommendations to a position's marks."""
    more = [mark(post_id) for post_id in post_ids]
    return given + struct.pack(f"<{len(more)}I", *more)


def room_for_recommendations(position: Position) -> int:
    """How many more recommendations this session may be given."""
    return max(0, GIVEN_MAX - len(position.given) // 4)
