"""Queries and bodies are read strictly, and the error says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from core.failures import Invalid
from services.auth.routes import SignUp
from services.feed.routes import FeedQuery
from services.kit import body, pages
from services.search.routes import SearchQuery
from services.upload.routes import NewMedia


@pytest.mark.parametrize(
    ("kind", "query", "field", "says"),
    [
        (FeedQuery, "limit=1e1", "limit", "expected an integer in decimal digits"),
        (FeedQuery, "limit=%201", "limit", "expected an integer in decimal digits"),
        (FeedQuery, "limit=", "limit", "expected an integer in decimal digits"),
        (FeedQuery, "limit=1&limit=2", "limit", "expected it once"),
        (FeedQuery, "mode=best", "mode", "expected one of ranked, chronological"),
        (SearchQuery, "q=%ff", "q", "expected UTF-8 in percent-encoding"),
        (SearchQuery, "q=a%00", "q", "expected text without the NUL character"),
        (SearchQuery, "q=a&q=b", "q", "expected it once"),
    ],
)
def test_a_wrong_query_is_refused_by_its_parameter(kind: type[Any], query: str, field: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        pages.query(make_mocked_request("GET", f"/?{query}"), kind)
    assert [(each.field, each.detail) for each in caught.value.errors] == [(field, says)]


def test_a_query_means_what_its_percent_encoding_says() -> None:
    found = pages.query(make_mocked_request("GET", "/?q=stra%C3%9Fe+a%2Bb%26c&limit=7&other=%ff&other=1"), SearchQuery)
    assert (found.q, found.limit) == ("straße a+b&c", 7)


@pytest.mark.parametrize(
    ("kind", "data", "field", "says"),
    [
        (NewMedia, '{"content_type": "image/png", "size_bytes": "7"}', "size_bytes", "expected an integer, got text"),
        (NewMedia, '{"content_type": 7, "size_bytes": 7}', "content_type", "expected text, got an integer"),
        (SignUp, '{"username": "abc", "password": "x", "display_name": 1}', "display_name",
         "expected text or null, got an integer"),
        (SignUp, '{"username": "abc", "username": "abd", "password": "x"}', "username", "expected it once"),
        (SignUp, "[]", "body", "expected an object, got a list"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused_by_its_field(kind: type[Any], data: str, field: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        body.decode(data.encode(), kind)
    assert [(each.field, each.detail) for each in caught.value.errors] == [(field, says)]
