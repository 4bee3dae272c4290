"""Posts that are delivered after a session's first page are shown on its next pages: cases that were once wrong."""

from __future__ import annotations

from tests.property.test_feed_session import DEPTH, READER, Feeds


def test_late_posts_alone_fill_a_page() -> None:
    feeds = Feeds()
    feeds.begin(follows={1}, reads=False)
    feeds.open(chronological=False)
    feeds.post(author=READER, count=2, late=False, tick=False)
    feeds.read(limit=1, pages=1)
    feeds.post(author=READER, count=5, late=False, tick=False)
    feeds.read_to_the_end(limit=3)
    assert feeds.session is None


def test_late_posts_that_were_pushed_out_of_the_timeline_are_shown() -> None:
    feeds = Feeds()
    feeds.begin(follows={1}, reads=True)
    feeds.post(author=READER, count=4, late=False, tick=False)
    feeds.post(author=READER, count=DEPTH + 2, late=True, tick=False)
    feeds.open(chronological=False)
    feeds.read(limit=1, pages=1)
    feeds.read_to_the_end(limit=3)
    assert feeds.session is None


def test_a_late_post_is_shown_though_newer_ones_pushed_it_out_of_the_timeline() -> None:
    feeds = Feeds()
    feeds.begin(follows={1}, reads=True)
    feeds.post(author=READER, count=5, late=False, tick=False)
    feeds.post(author=READER, count=1, late=True, tick=False)
    feeds.open(chronological=False)
    feeds.read(limit=1, pages=1)
    feeds.post(author=READER, count=8, late=False, tick=False)
    assert feeds.session is not None
    feeds.read_to_the_end(limit=3)
    assert feeds.session is None


def test_late_posts_fill_a_page_that_would_be_short_without_them() -> None:
    feeds = Feeds()
    feeds.begin(follows={1}, reads=False)
    feeds.post(author=READER, count=1, late=False, tick=False)
    feeds.open(chronological=False)
    feeds.post(author=READER, count=1, late=False, tick=False)
    feeds.read(limit=1, pages=1)
    feeds.post(author=READER, count=5, late=False, tick=False)
    assert feeds.session is not None
    feeds.read_to_the_end(limit=3)
    assert feeds.session is None
