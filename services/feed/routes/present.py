"""Present: the page as JSON, spliced together from cards that are not decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from core.names import Source
from core.policies.stitch import Candidate
from services.feed.routes.hydrate import Hydrated
from services.feed.store.cards import CardBody
from services.kit.fields import Count, Url
from services.kit.stores.people import Person


class FeedPost(CardBody, frozen=True, kw_only=True):
    """A post as the viewer sees it."""

    author: Person
    like_count: Count
    comment_count: Count
    viewer_has_liked: bool


class FeedAd(msgspec.Struct, frozen=True, kw_only=True):
    """A house ad."""

    id: str
    headline: str
    image_url: Url
    target_url: Url


class PostItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="post"):
    """A post, and which source it came from."""

    source: Literal["timeline", "celebrity", "recommended"]
    post: FeedPost


class AdItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ad"):
    """An ad."""

    source: Literal["ad"]
    ad: FeedAd


FeedItem = PostItem | AdItem

_OPENING = {
    source: b'{"kind":"post","source":"%s","post":{' % source.value.encode() for source in Source if source != Source.AD
}
_LIKED = {True: b',"viewer_has_liked":true}}', False: b',"viewer_has_liked":false}}'}


def page(items: Sequence[Candidate], hydrated: Hydrated, ads: Sequence[bytes], cursor: str | None) -> bytes:
    """JSON of the page; an ad's ``item_id`` is its index in ``ads``."""
    parts: list[bytes] = []
    cards, authors, likes, comments, liked = (
        hydrated.cards,
        hydrated.authors,
        hydrated.likes,
        hydrated.comments,
        hydrated.liked,
    )
    for item in items:
        if item.source is Source.AD:
            parts.append(b'{"kind":"ad","source":"ad","ad":%s}' % ads[item.item_id])
            continue
        post_id = item.item_id
        parts.append(
            b'%s%s,"author":%s,"like_count":%d,"comment_count":%d%s'
            % (
                _OPENING[item.source],
                cards[post_id].members,
                authors[item.author_id],
                likes[post_id],
                comments[post_id],
                _LIKED[post_id in liked],
            )
        )
    end = b'],"next_cursor":null}' if cursor is None else b'],"next_cursor":"%s"}' % cursor.encode()
    return b'{"items":[' + b",".join(parts) + end
