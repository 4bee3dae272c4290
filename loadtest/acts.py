"""The requests of each act of the schedule, in order; each is built from the answers to those before it.

An act is a generator: it yields a `Request`, is sent the `Answer`, and returns when it is done or a request failed.
The caller decides when and how to send; so an act holds no clock and no connection.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import msgspec

from core import operations
from core.names import DEGRADED_HEADER, IDEMPOTENCY_HEADER, Outcome
from core.operations import API, OPERATIONS
from core.population import Population
from core.scenario.model import Scenario
from core.traffic import BY_A_POSTER, VIRAL_POST, Schedule
from loadtest import address, photo
from loadtest.seeded import Seeded, SeededPost

_JSON: Final = {"Content-Type": "application/json"}


class Target(StrEnum):
    """The server that a request is sent to."""

    GATEWAY = "gateway"
    MEDIA = "media"
    OBJECTS = "objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request of one operation. ``claim`` is what the ledger keeps when it is acknowledged."""

    operation: str
    method: str
    path: str
    target: Target = Target.GATEWAY
    at: address.HttpAddress | None = None  # of the object store, from the answer before
    source: str = ""  # source address: set where the gateway limits the operation by address
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    claim: dict[str, str | int] | None = None
    created: tuple[str, ...] = ()  # path of the new object's id in the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request; ``status`` is 0 when there was none."""

    outcome: Outcome
    status: int
    body: bytes = b""

    def json(self) -> Any:
        """The body; None when it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None

    def at(self, *path: str) -> Any:
        """The value at a path of object members; None when it is missing."""
        value = self.json()
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value


Act = Generator[Request, Answer, None]


def outcome_of(status: int, headers: Any) -> Outcome:
    """The outcome of an answer; ``headers`` supports ``in``, ignoring case."""
    if status in (429, 503):
        return Outcome.REFUSED
    if status >= 400 or status < 200:
        return Outcome.FAILED
    return Outcome.DEGRADED if DEGRADED_HEADER in headers else Outcome.OK


@dataclass(slots=True, kw_only=True)
class Acts:
    """Makes the acts of one run. ``nonce`` keeps this run's idempotency keys and names apart from those of other
    runs."""

    scenario: Scenario
    schedule: Schedule
    people: Population
    seeded: Seeded
    nonce: str
    viral_post: SeededPost | None = None  # set once it has been written
    ahead: Mapping[int, Request] = field(default_factory=dict)  # the last request of an act, see `loadtest.ahead`

    def of(self, number: int) -> Act:
        """The act of request ``number`` of the schedule."""
        if number in self.ahead:
            return _single(self.ahead[number])
        return self.instead(number, self.schedule.acts[int(self.schedule.act[number])])

    def instead(self, number: int, name: str) -> Act:
        """The act ``name`` by the person of request ``number`` about the target of that request."""
        person, target = int(self.schedule.person[number]), int(self.schedule.target[number])
        if name == operations.MEDIA_UPLOAD:
            return self._upload(number, person)
        if name == operations.POST_WITHDRAW:
            return self._withdraw_post(number, person)
        if name == operations.STORY_WITHDRAW:
            return self._withdraw_story(number, person)
        if name == operations.MEDIA_WITHDRAW:
            return self._withdraw_media(number, person)
        if name == operations.STORY_SEEN:
            return _single(self._story_seen(number, person))
        return _single(self._request(name, number, person, target))

    def viral(self) -> Act:
        """The viral post: its author posts a photo that exists already."""
        author = self.schedule.viral_author
        if author is None:
            raise ValueError("this schedule has no viral post")
        return _single(self._post_create(author, self._post_of(author).media_id, "Look at this #viral", "viral"))

    def viral_written(self, post_id: str) -> None:
        """From now on requests about the viral post use this id."""
        author = self.schedule.viral_author
        if author is None:
            raise ValueError("this schedule has no viral post")
        self.viral_post = msgspec.structs.replace(self._post_of(author), post_id=post_id)

    def _request(self, name: str, number: int, person: int, target: int) -> Request:
        method, path = OPERATIONS[name].method, API + OPERATIONS[name].path
        headers = self._signed_in(person)
        if "{post_id}" in path or name == operations.IMAGE_READ:
            return self._about_a_post(name, number, person, self._post(target))
        if "{user_id}" in path:
            other = target if target != person else (person + 1) % len(self.seeded.people)
            path = path.replace("{user_id}", self.seeded.people[other].user_id)
            return Request(operation=name, method=method, path=path, headers=headers)
        if name == operations.FEED_READ:
            return Request(
                operation=name, method=method, path=f"{path}?limit={self.scenario.system.feed.page}", headers=headers
            )
        if name == operations.SEARCH_USERS:
            prefix = self.seeded.people[target].username[:-2]
            return Request(operation=name, method=method, path=f"{path}?q={prefix}&limit=20", headers=headers)
        if name == operations.SEARCH_HASHTAGS:
            return Request(operation=name, method=method, path=f"{path}?q={HASHTAGS[number % len(HASHTAGS)][:3]}",
                           headers=headers)  # fmt: skip
        if name in (operations.AUTH_SIGNUP, operations.AUTH_LOGIN):
            return self._credentials(name, number, person)
        if name in BY_A_POSTER:
            return self._by_a_poster(name, number, person)
        return Request(operation=name, method=method, path=path, headers=headers)

    def _about_a_post(self, name: str, number: int, person: int, post: SeededPost) -> Request:
        operation = OPERATIONS[name]
        if name == operations.IMAGE_READ:
            _, path = address.target(post.image_url)
            return Request(operation=name, method="GET", path=path, target=Target.MEDIA)
        path = API + operation.path.replace("{post_id}", post.post_id)
        claim = (
            self._claim(person, post_id=post.post_id)
            if name in (operations.LIKE_ADD, operations.LIKE_REMOVE, operations.COMMENT_ADD)
            else None
        )
        if name == operations.COMMENT_ADD:
            return Request(
                operation=name,
                method=operation.method,
                path=path,
                headers={**self._signed_in(person), **_JSON, **self._once(f"{number}")},
                body=msgspec.json.encode({"text": f"Comment {number} of this run"}),
                claim=claim,
                created=("comment", "id"),
            )
        return Request(operation=name, method=operation.method, path=path, headers=self._signed_in(person), claim=claim)

    def _credentials(self, name: str, number: int, person: int) -> Request:
        username = (
            f"load_{self.nonce}_{number}" if name == operations.AUTH_SIGNUP else self.seeded.people[person].username
        )
        password = self.people.password(person)
        return Request(
            operation=name,
            method="POST",
            path=API + OPERATIONS[name].path,
            source=address.of_person(person),
            headers=_JSON,
            body=msgspec.json.encode({"username": username, "password": password}),
        )

    def _by_a_poster(self, name: str, number: int, person: int) -> Request:
        post = self._post_of(person)
        if name == operations.MEDIA_READ:
            return Request(
                operation=name,
                method="GET",
                path=f"{API}/media/{post.media_id}",
                headers=self._signed_in(post.person),
            )
        if name == operations.POST_CREATE:
            return self._post_create(post.person, post.media_id, f"Again {number} #load", f"{number}")
        if name == operations.STORY_CREATE:
            return self._story_create(post.person, post.media_id, f"{number}")
        return self._media_create(post.person, len(self._photo(number)), f"{number}")

    def _upload(self, number: int, person: int) -> Act:
        """Upload a new photo directly to the object store, and post it."""
        media_id = yield from self._put(number, person, in_ledger=True)
        if media_id is not None:
            yield self._post_create(person, media_id, f"Just now {number} #load", f"{number}.3")

    def _withdraw_post(self, number: int, person: int) -> Act:
        """Upload a new photo, post it, and delete the post. The ledger keeps only the last step."""
        media_id = yield from self._put(number, person, in_ledger=False)
        if media_id is None:
            return
        made = self._post_create(person, media_id, f"Not for long {number} #load", f"{number}.3")
        answer = yield replace(made, claim=None)
        post_id = answer.at("post", "id")
        if answer.outcome is Outcome.OK and isinstance(post_id, str):
            yield self._delete(operations.POST_DELETE, person, post_id=post_id, media_id=media_id)

    def _withdraw_story(self, number: int, person: int) -> Act:
        """Upload a new photo, create a story with it, and delete the story. The ledger keeps only the last step."""
        media_id = yield from self._put(number, person, in_ledger=False)
        if media_id is None:
            return
        answer = yield replace(self._story_create(person, media_id, f"{number}.3"), claim=None)
        story_id = answer.at("story", "id")
        if answer.outcome is Outcome.OK and isinstance(story_id, str):
            yield self._delete(operations.STORY_DELETE, person, story_id=story_id, media_id=media_id)

    def _withdraw_media(self, number: int, person: int) -> Act:
        """Upload a new photo and delete it. The ledger keeps only the last step."""
        media_id = yield from self._put(number, person, in_ledger=False)
        if media_id is not None:
            yield self._delete(operations.MEDIA_DELETE, person, media_id=media_id)

    def _delete(self, name: str, person: int, **names: str) -> Request:
        path = API + OPERATIONS[name].path.format(**names)
        return Request(
            operation=name,
            method=OPERATIONS[name].method,
            path=path,
            headers=self._signed_in(person),
            claim=self._claim(person, **names),
        )

    def _put(self, number: int, person: int, *, in_ledger: bool) -> Generator[Request, Answer, str | None]:
        """Upload a new photo; returns its id, or None when that failed."""
        picture = self._photo(number)
        answer = yield self._media_create(person, len(picture), f"{number}.0")
        media_id, url = answer.at("media", "id"), answer.at("upload", "url")
        if answer.outcome is not Outcome.OK or not isinstance(media_id, str) or not isinstance(url, str):
            return None
        headers = answer.at("upload", "headers")
        store, path = address.target(url)
        answer = yield Request(
            operation=operations.OBJECT_PUT,
            method="PUT",
            path=path,
            target=Target.OBJECTS,
            at=store,
            headers={"Content-Type": "image/jpeg", **(headers if isinstance(headers, dict) else {})},
            body=picture,
        )
        if answer.outcome is not Outcome.OK:
            return None
        answer = yield Request(
            operation=operations.MEDIA_COMPLETE,
            method="POST",
            path=f"{API}/media/{media_id}/complete",
            headers={**self._signed_in(person), **_JSON},
            body=b"{}",
            claim=self._claim(person, media_id=media_id) if in_ledger else None,
        )
        return media_id if answer.outcome is Outcome.OK else None

    def _media_create(self, person: int, size_bytes: int, key: str) -> Request:
        return Request(
            operation=operations.MEDIA_CREATE,
            method="POST",
            path=f"{API}/media",
            headers={**self._signed_in(person), **_JSON, **self._once(key)},
            body=msgspec.json.encode({"content_type": "image/jpeg", "size_bytes": size_bytes}),
        )

    def _post_create(self, person: int, media_id: str, caption: str, key: str) -> Request:
        return Request(
            operation=operations.POST_CREATE,
            method="POST",
            path=f"{API}/posts",
            headers={**self._signed_in(person), **_JSON, **self._once(key)},
            body=msgspec.json.encode({"media_ids": [media_id], "caption": caption}),
            claim=self._claim(person, media_id=media_id),
            created=("post", "id"),
        )

    def _story_create(self, person: int, media_id: str, key: str) -> Request:
        return Request(
            operation=operations.STORY_CREATE,
            method="POST",
            path=f"{API}/stories",
            headers={**self._signed_in(person), **_JSON, **self._once(key)},
            body=msgspec.json.encode({"media_id": media_id}),
            claim=self._claim(person),
            created=("story", "id"),
        )

    def _story_seen(self, number: int, person: int) -> Request:
        stories = self.seeded.stories
        story = stories[number % len(stories)]
        return Request(
            operation=operations.STORY_SEEN,
            method="PUT",
            path=f"{API}/stories/{story.story_id}/seen",
            headers=self._signed_in(person),
        )

    def _photo(self, number: int) -> bytes:
        photos = self.seeded.photos
        return photo.with_comment(photos[number % len(photos)], f"{self.nonce}-{number}")

    def _post(self, index: int) -> SeededPost:
        if index != VIRAL_POST:
            return self.seeded.posts[index]
        if self.viral_post is not None:
            return self.viral_post
        author = self.schedule.viral_author
        return self._post_of(author if author is not None else 0)  # not written yet: its author's first post

    def _post_of(self, person: int) -> SeededPost:
        """The first post of a person; for a person who does not post, that of somebody who does."""
        posters = len(self.seeded.posts) // self.scenario.population.posts_per_poster
        return self.seeded.posts[person % posters]

    def _signed_in(self, person: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.seeded.people[person].token}"}

    def _once(self, key: str) -> dict[str, str]:
        return {IDEMPOTENCY_HEADER: f"load-{self.nonce}-{key}"}

    def _claim(self, person: int, **values: str | int) -> dict[str, str | int]:
        return {"person": person, "user_id": self.seeded.people[person].user_id, **values}


def _single(request: Request) -> Act:
    yield request


#: Hashtags of seeded captions, which searches look for.
HASHTAGS: Final = ("harbour", "goldenhour", "street", "mountain", "coffee", "garden", "concert", "cycling")
