"""A client that openapi-python-client makes from the API's document works against the running stack."""

from __future__ import annotations

import importlib
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from core.operations import API
from stack.control import RunningStack
from tests.service.media.photos import jpeg
from tests.waiting import until

_PACKAGE = "windtunnel_api_client"
_PASSWORD = "a generated password"


@pytest.fixture(scope="module")
def generated(running_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the client by its name."""
    folder = tmp_path_factory.mktemp("client")
    document = httpx.get(f"{running_stack.gateway_url}{API}/openapi.json").raise_for_status()
    (folder / "openapi.json").write_bytes(document.content)
    (folder / "config.yaml").write_text("post_hooks: []\n")  # no formatter
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
    command += ["--path", "openapi.json", "--config", "config.yaml", "--output-path", _PACKAGE]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    try:
        yield lambda name: importlib.import_module(f"{_PACKAGE}.{name}")
    finally:
        sys.path.remove(str(folder))
        for name in [each for each in sys.modules if each.split(".")[0] == _PACKAGE]:
            del sys.modules[name]


class Api:
    """The generated client: ``api.posts.post_create(body=…)`` answers status and value."""

    def __init__(self, generated: Callable[[str], Any], url: str, opened: ExitStack, token: str = ""):
        self._generated, self._url, self._opened = generated, url, opened
        client = generated("client")
        made = client.AuthenticatedClient if token else client.Client
        self.client = opened.enter_context(
            made(base_url=url, raise_on_unexpected_status=True, **({"token": token} if token else {}))
        )

    def signed_in(self, token: str) -> Api:
        """The client of somebody with this token."""
        return Api(self._generated, self._url, self._opened, token)

    def __call__(self, operation: str, *path: str, **arguments: Any) -> tuple[int, Any]:
        module = self._generated(f"api.{operation}")
        answer = module.sync_detailed(*path, client=self.client, **arguments)
        return int(answer.status_code), answer.parsed


def test_a_generated_client_signs_up_uploads_posts_reads_a_feed_and_its_errors(
    generated: Callable[[str], Any], running_stack: RunningStack
) -> None:
    with ExitStack() as opened:
        _walk(generated("models"), Api(generated, running_stack.gateway_url + API, opened))


def _walk(models: Any, anybody: Api) -> None:

    def signed_up(name: str) -> tuple[Api, Any]:
        body = models.SignUp(username=f"{name}.{uuid.uuid4().hex[:12]}", password=_PASSWORD, display_name=name)
        status, session = anybody("auth.auth_signup", body=body)
        assert (status, type(session)) == (201, models.Session)
        return anybody.signed_in(session.access_token), session.user

    author, author_user = signed_up("Author")
    reader, reader_user = signed_up("Reader")
    assert reader_user.created_at.tzinfo is not None
    assert reader("graph.graph_follow", author_user.id)[1].following is True

    # a photo, directly to the object store
    photo = jpeg(320, 240)
    announced = models.NewMedia(content_type=models.NewMediaContentType.IMAGEJPEG, size_bytes=len(photo))
    status, media = author("upload.media_create", body=announced, idempotency_key="photo")
    assert (status, media.media.state) == (201, models.PhotoState.REGISTERED)
    target = media.upload
    put = httpx.request(target.method.value, target.url, content=photo, headers=target.headers.additional_properties)
    assert put.status_code == 200, put.text
    assert author("upload.media_complete", media.media.id, body=models.MediaCompletion())[0] == 202

    # a post, once; it appears in the reader's feed, with its photo
    body = models.NewPost(media_ids=[media.media.id], caption="made by a generated client #generated")
    first = author("posts.post_create", body=body, idempotency_key="post")
    again = author("posts.post_create", body=body, idempotency_key="post")
    assert first[0] == again[0] == 201
    post = first[1].post
    assert (again[1].post.id, post.hashtags) == (post.id, ["generated"])

    def in_feed() -> Any:
        status, feed = reader("feed.feed_read", limit=10)
        assert (status, type(feed)) == (200, models.FeedPage)
        posts = [each.post for each in feed.items if isinstance(each, models.PostItem)]
        return next((each for each in posts if each.id == post.id and each.media[0].variants), None)

    seen = until(in_feed)
    assert type(seen.media[0]) is models.Photo
    assert (seen.author.id, seen.media[0].state) == (author_user.id, models.PhotoState.SUCCEEDED)
    assert httpx.get(seen.media[0].variants[0].url).headers["Content-Type"] == seen.media[0].variants[0].content_type

    assert reader("engagement.like_add", post.id)[1].like_count == 1
    for text in ("one", "two"):
        status, added = reader("engagement.comment_add", post.id, body=models.NewComment(text=text))
        assert (status, added.comment.text) == (201, text)
    status, page = reader("engagement.comment_list", post.id, limit=1)
    assert [each.text for each in page.items] == ["two"]
    status, page = reader("engagement.comment_list", post.id, limit=1, cursor=page.next_cursor)
    assert ([each.text for each in page.items], page.next_cursor) == (["one"], None)

    # errors are values, too
    def refused(answer: tuple[int, Any]) -> tuple[int, str, list[str]]:
        status, problem = answer
        assert type(problem) is models.Problem
        assert problem.status == status
        return status, problem.code, [each.field for each in problem.errors or []]

    assert refused(anybody("auth.auth_signup", body=models.SignUp(username="x", password="short"))) == (
        400,
        "invalid",
        ["username", "password"],
    )
    taken = models.SignUp(username=author_user.username, password=_PASSWORD)
    assert refused(anybody("auth.auth_signup", body=taken)) == (409, "conflict", ["username"])
    wrong = models.Login(username=author_user.username, password="not this one")
    assert refused(anybody("auth.auth_login", body=wrong)) == (401, "unauthenticated", [])
    other = models.NewPost(media_ids=[media.media.id], caption="another body")
    reused = author("posts.post_create", body=other, idempotency_key="post")
    assert refused(reused) == (422, "idempotency_key_reused", ["Idempotency-Key"])
    assert refused(reader("posts.post_delete", post.id)) == (403, "forbidden", [])
    assert refused(reader("posts.user_posts", author_user.id, cursor="made up")) == (400, "invalid", ["cursor"])
    nobody = anybody.signed_in("no token")
    assert refused(nobody("posts.post_read", post.id)) == (401, "unauthenticated", [])
    assert author("posts.post_delete", post.id)[0] == 204
    assert refused(author("posts.post_delete", post.id)) == (404, "not_found", [])
