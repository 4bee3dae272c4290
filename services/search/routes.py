"""Search over HTTP."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from aiohttp import web

from core import operations
from services.kit import pages
from services.kit.answers import answer
from services.kit.fields import Count, stated
from services.kit.routing import route, stage, viewer
from services.kit.stores.people import Person
from services.search import rules
from services.search.store.index import Index

INDEX: Final = web.AppKey("INDEX", Index)


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to search for."""

    q: Annotated[str, stated(minLength=1, maxLength=rules.QUERY_CHARACTERS_MAX)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 20


class UsersAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Users, best match first."""

    items: list[Person]


class HashtagItem(msgspec.Struct, frozen=True, kw_only=True):
    """A hashtag and how many posts have it."""

    hashtag: str
    post_count: Count


class HashtagsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Hashtags, most used first."""

    items: list[HashtagItem]


async def users(request: web.Request) -> web.Response:
    """Find users by the beginnings of their names; one or two typos are tolerated."""
    viewer(request)
    asked = pages.query(request, SearchQuery)
    text = rules.checked(asked.q)
    with stage(request, "query"):
        hits = await request.app[INDEX].users(text, limit=asked.limit)
    with stage(request, "present"):
        found = rules.ranked(hits, query=text, limit=asked.limit)
        return answer(
            UsersAnswer(
                items=[Person(id=hit.user_id, username=hit.username, display_name=hit.display_name) for hit in found]
            )
        )


async def hashtags(request: web.Request) -> web.Response:
    """Find hashtags by their beginnings."""
    viewer(request)
    asked = pages.query(request, SearchQuery)
    beginning = rules.hashtag(asked.q)
    with stage(request, "query"):
        found = await request.app[INDEX].hashtags(beginning, limit=asked.limit)
    with stage(request, "present"):
        return answer(HashtagsAnswer(items=[HashtagItem(hashtag=tag, post_count=count) for tag, count in found]))


ROUTES: Final = (
    route(operations.SEARCH_USERS, users, query=SearchQuery, answer=UsersAnswer),
    route(operations.SEARCH_HASHTAGS, hashtags, query=SearchQuery, answer=HashtagsAnswer),
)
