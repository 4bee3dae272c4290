"""Posts over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
from aiohttp import web

from core import ids, operations
from core.failures import FieldError, Forbidden, Invalid, NotFound
from core.messages import PostCreated, PostDeleted
from core.names import PhotoState
from services.kit import body, idempotency, outbox, pages
from services.kit.answers import answer, empty
from services.kit.backlog import BACKLOG
from services.kit.clock import rfc3339
from services.kit.config import SETTINGS, new_id
from services.kit.fields import Count, Id, SentId, Time, stated
from services.kit.pages import Page, PageQuery
from services.kit.photos import Photo, Variant, address
from services.kit.routing import body_id, path_id, route, stage, viewer
from services.kit.stores.people import Person
from services.posts import rules
from services.posts.store import Posts, StoredPhoto, StoredPost

POSTS: Final = web.AppKey("POSTS", Posts)


class NewPost(body.Body, frozen=True, kw_only=True):
    """One to ten photos of the caller's own, which may still be processing, and a caption."""

    media_ids: Annotated[list[SentId], stated(minItems=1, maxItems=rules.MEDIA_MAX, uniqueItems=True)]
    caption: Annotated[str, stated(maxLength=rules.CAPTION_MAX)] = ""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A post as the viewer sees it."""

    id: Id
    author: Person
    caption: str
    hashtags: list[str]
    media: list[Photo]
    like_count: Count
    comment_count: Count
    viewer_has_liked: bool
    created_at: Time


class PostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One post."""

    post: Post


async def create(request: web.Request) -> web.Response:
    """Publish a post."""
    with stage(request, "parse"):
        author_id = viewer(request)
        request.app[BACKLOG].admit()
        given = await body.read(request, NewPost)
        _refuse(rules.wrong_fields(caption=given.caption, media_ids=given.media_ids))
        media_ids = [body_id(request, f"media_ids[{at}]", text) for at, text in enumerate(given.media_ids)]
    posts, shard = request.app[POSTS], ids.shard_of(author_id)
    async with posts.writing(shard) as connection:
        with stage(request, "load"):
            replayed = await idempotency.begin(request, connection, shard)
            if replayed is not None:
                return replayed
            _refuse(rules.wrong_media(media_ids, await posts.media_states(connection, author_id, media_ids)))
        with stage(request, "write"):
            post_id = new_id(request.app, shard)
            await posts.insert(
                connection,
                PostCreated(
                    **outbox.stamp(request.app, shard),
                    post_id=post_id,
                    author_id=author_id,
                    media_ids=tuple(media_ids),
                    caption=given.caption,
                    hashtags=rules.hashtags(given.caption),
                ),
            )
            written = await posts.written(connection, post_id)
        with stage(request, "present"):
            response = answer(PostAnswer(post=_shown(request, written, author_id)), status=201)
        return await idempotency.finish(request, connection, shard, response)


async def read(request: web.Request) -> web.Response:
    """Read a post. A photo that failed, and a post whose photos all failed, are visible to the author only."""
    with stage(request, "load"):
        viewer_id, post_id = viewer(request), path_id(request, "post_id")
        found = await request.app[POSTS].post(post_id, viewer_id=viewer_id)
        if found is None:
            raise NotFound(f"No post {post_id}")
    with stage(request, "present"):
        return answer(PostAnswer(post=_shown(request, found, viewer_id)))


async def delete(request: web.Request) -> web.Response:
    """Delete one's own post, for good, with its photos.

    A photo stays while another post, or a story that has not ended, shows it; the addresses of all others are gone
    within five seconds.
    """
    with stage(request, "write"):
        posts, viewer_id, post_id = request.app[POSTS], viewer(request), path_id(request, "post_id")
        author_id = await posts.author_of(post_id, viewer_id=viewer_id)
        if author_id is None:
            raise NotFound(f"No post {post_id}")
        if author_id != viewer_id:
            raise Forbidden("Only its author may delete a post")
        event = PostDeleted(**outbox.stamp(request.app, ids.shard_of(post_id)), post_id=post_id, author_id=author_id)
        if not await posts.delete(event):
            raise NotFound(f"No post {post_id}")
    with stage(request, "present"):
        return empty()


async def of_user(request: web.Request) -> web.Response:
    """A user's posts, newest first."""
    with stage(request, "load"):
        viewer_id, author_id = viewer(request), path_id(request, "user_id")
        query = pages.query(request, PageQuery)
        found = await request.app[POSTS].by_author(
            author_id,
            viewer_id=viewer_id,
            before_id=pages.cursor_of(request, query.cursor, int),
            count=query.limit + 1,  # one more, to know whether there is another page
        )
        if found is None:
            raise NotFound(f"No user {author_id}")
    with stage(request, "present"):
        page = found[: query.limit]
        cursor = pages.next_cursor(request, page[-1].post_id) if len(found) > query.limit else None
        items = [_shown(request, each, viewer_id) for each in page]
        return answer(Page[Post](items=items, next_cursor=cursor), headers=pages.link(request, cursor))


def _shown(request: web.Request, post: StoredPost, viewer_id: int) -> Post:
    base, is_author = request.app[SETTINGS].media_url, viewer_id == post.author_id
    return Post(
        id=str(post.post_id),
        author=Person(id=str(post.author_id), username=post.username, display_name=post.display_name),
        caption=post.caption,
        hashtags=list(post.hashtags),
        media=[_photo(each, base) for each in post.photos if rules.is_shown(each.state, is_author=is_author)],
        like_count=post.like_count,
        comment_count=post.comment_count,
        viewer_has_liked=post.viewer_has_liked,
        created_at=rfc3339(ids.created_ms_of(post.post_id)),
    )


def _photo(photo: StoredPhoto, base: str) -> Photo:
    return Photo(
        id=str(photo.media_id),
        state=PhotoState(photo.state),
        variants=[
            Variant(
                name=each.name,
                url=address(base, each.object_key),
                width=each.width,
                height=each.height,
                content_type=each.content_type,
                size_bytes=each.size_bytes,
            )
            for each in photo.variants
        ],
    )


def _refuse(wrong: Iterator[FieldError]) -> None:
    errors = tuple(wrong)
    if errors:
        raise Invalid(f"{errors[0].field}: {errors[0].detail}", errors=errors)


ROUTES: Final = (
    route(operations.POST_CREATE, create, body=NewPost, answer=PostAnswer),
    route(operations.POST_READ, read, answer=PostAnswer),
    route(operations.POST_DELETE, delete, refuses=(Forbidden,)),
    route(operations.USER_POSTS, of_user, query=PageQuery, answer=Page[Post]),
)
