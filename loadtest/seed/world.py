"""The phases of seeding; each phase reports its progress and leaves its results for the next.

Follows come before posts, so that every post is fanned out to all who follow its author. Neither follows nor posts are
created author by author: consecutive ones then belong to different authors, and do not queue for one row.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from dataclasses import dataclass, field
from typing import Any, Final

from core import operations, population
from core.operations import OPERATIONS
from core.scenario import Scenario
from core.streams import named
from loadtest import address, photo, progress
from loadtest.acts import HASHTAGS
from loadtest.seed.api import CONNECTIONS_MAX, Api, SeedError, each
from loadtest.seeded import SeededPerson, SeededPost, SeededStory

PEOPLE_MAX: Final = 200_000
#: Photos kept for uploads under load.
UPLOAD_PHOTOS: Final = 8
_SIGN_UPS_AT_ONCE: Final = 8  # hashing a password takes 20 ms of a core: more would only queue, until they time out
_FIRST_READS_AT_ONCE: Final = 8
_UPLOADS_AT_ONCE: Final = 8  # each holds a photo in memory and a thread while it is drawn
_REPORT_EVERY: Final = 50
_SCENES: Final = ("Early light", "After the rain", "Quiet corner", "On the way", "Found this", "Long weekend")
_MARK: Final = re.compile(r"· seed ([0-9]+)$")


@dataclass(slots=True, kw_only=True)
class World:
    """The people, posts and stories that have been created so far."""

    scenario: Scenario
    api: Api
    people_of: population.Population
    people: list[SeededPerson] = field(default_factory=list)
    known: set[int] = field(default_factory=set)  # persons who already existed
    media: dict[int, str] = field(default_factory=dict)  # by poster
    posts: dict[int, str] = field(default_factory=dict)  # post index → id
    post_media: dict[int, str] = field(default_factory=dict)
    images: dict[str, tuple[str, int]] = field(default_factory=dict)  # by media: URL and bytes
    stories: list[SeededStory] = field(default_factory=list)
    tokens_expire_unix: float = float("inf")
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def posters(self) -> int:
        """How many people post."""
        return self.people_of.posters

    @property
    def post_count(self) -> int:
        """How many posts there will be."""
        return self.posters * self.scenario.population.posts_per_poster

    async def sign_up(self) -> None:
        """Sign up everybody; people who already exist log in."""
        found: dict[int, SeededPerson] = {}
        count = self._counter("people", self.people_of.people)

        async def one(person: int) -> None:
            username, password = self.people_of.username(person), self.people_of.password(person)
            body = {"username": username, "password": password, "display_name": self.people_of.display_name(person)}
            asked = time.time()
            source = address.of_person(person)  # sign-ups and logins are limited by address: everybody has their own
            reply = await self.api.call(
                "POST", "/auth/signup", body=body, source=source, expected=frozenset({201, 409})
            )
            if reply.status == 409:
                self.known.add(person)
                reply = await self.api.call(
                    "POST",
                    "/auth/login",
                    body={"username": username, "password": password},
                    source=source,
                    expected=frozenset({200}),
                )
            self.tokens_expire_unix = min(self.tokens_expire_unix, asked + float(reply.value["expires_in_seconds"]))
            found[person] = SeededPerson(
                person=person,
                user_id=reply.value["user"]["id"],
                username=username,
                token=reply.value["access_token"],
            )
            count()

        await each(range(self.people_of.people), one, at_once=_SIGN_UPS_AT_ONCE)
        self.people = [found[person] for person in range(self.people_of.people)]

    async def follow(self) -> None:
        """Create all follows; following twice has no further effect."""
        order = named(self.scenario.seed, "seed.follows")
        edges = sorted(self.people_of.edges(), key=lambda edge: order.bits(edge[0], edge[1]))
        count = self._counter("follows", len(edges))

        async def one(edge: tuple[int, int]) -> None:
            follower, followee = self.people[edge[0]], self.people[edge[1]]
            await self.api.call("PUT", f"/users/{followee.user_id}/follow", token=follower.token)
            count()

        await each(edges, one, at_once=CONNECTIONS_MAX)

    async def find_posts(self) -> None:
        """Find the posts of an earlier seeding."""

        async def one(person: int) -> None:
            cursor = ""
            while True:
                who = self.people[person]
                path = f"/users/{who.user_id}/posts?limit=100" + (f"&cursor={cursor}" if cursor else "")
                page = (await self.api.call("GET", path, token=who.token)).value
                for post in page["items"]:
                    self._find(person, post)
                cursor = page.get("next_cursor") or ""
                if not cursor:
                    return

        await each(sorted(person for person in self.known if person < self.posters), one, at_once=CONNECTIONS_MAX)

    async def take_photos(self) -> None:
        """Upload one photo for every poster, directly to the object store."""
        count = self._counter("photos", self.posters)
        settings, seed = self.scenario.population.photo, self.scenario.seed

        async def one(person: int) -> None:
            if person not in self.media:
                picture = await asyncio.to_thread(photo.taken_by, person, seed=seed, photo=settings)
                self.media[person] = await self._upload(self.people[person], picture)
            count()

        await each(range(self.posters), one, at_once=_UPLOADS_AT_ONCE)

    async def post(self) -> None:
        """Create every poster's posts, all with the same photo."""
        count = self._counter("posts", self.post_count)

        async def one(index: int) -> None:
            if index not in self.posts:
                person = index % self.posters
                who, media_id = self.people[person], self.media[person]
                body = {"media_ids": [media_id], "caption": self.caption(index)}
                key = f"seed-{self.scenario.seed}-post-{index}-{media_id}"
                reply = await self.api.call("POST", "/posts", token=who.token, body=body, key=key)
                self.posts[index] = reply.value["post"]["id"]
                self.post_media[index] = media_id
            count()

        await each(range(self.post_count), one, at_once=CONNECTIONS_MAX // 2)

    async def tell_stories(self) -> None:
        """Create every poster's stories; an idempotency key prevents duplicates by a second seeding on the same day."""
        per_poster = self.scenario.population.stories_per_poster
        pairs = list(itertools.product(range(per_poster), range(self.posters)))
        count = self._counter("stories", len(pairs))

        async def one(pair: tuple[int, int]) -> None:
            nth, person = pair
            key = f"seed-{self.scenario.seed}-story-{nth}-{self.media[person]}"
            body = {"media_id": self.media[person]}
            reply = await self.api.call("POST", "/stories", token=self.people[person].token, body=body, key=key)
            self.stories.append(SeededStory(story_id=reply.value["story"]["id"], person=person))
            count()

        await each(pairs, one, at_once=CONNECTIONS_MAX // 2)
        self.stories.sort(key=lambda story: int(story.story_id))

    async def read_first(self) -> None:
        """Read every feed and tray once: the first read builds them, and the traffic is that of returning people."""
        count = self._counter("first reads", len(self.people))

        async def one(person: int) -> None:
            for name in (operations.FEED_READ, operations.STORY_TRAY):
                await self.api.call("GET", OPERATIONS[name].path, token=self.people[person].token)
            count()

        await each(range(len(self.people)), one, at_once=_FIRST_READS_AT_ONCE)

    def caption(self, index: int) -> str:
        """The caption of a seeded post, which ends with its index."""
        scene, tag = _SCENES[index % len(_SCENES)], HASHTAGS[index % len(HASHTAGS)]
        return f"{scene} #{tag} · seed {index}"

    def upload_photos(self) -> list[bytes]:
        """Create photos for uploads under load; none belongs to a seeded person."""
        settings, seed = self.scenario.population.photo, self.scenario.seed
        first = self.people_of.people
        return [photo.taken_by(first + each, seed=seed, photo=settings) for each in range(UPLOAD_PHOTOS)]

    def post_rows(self) -> list[SeededPost]:
        """The posts by index, with the image that a reader's phone shows."""
        rows = []
        for index in range(self.post_count):
            url, size = self.images[self.post_media[index]]
            rows.append(
                SeededPost(
                    post=index,
                    post_id=self.posts[index],
                    person=index % self.posters,
                    media_id=self.post_media[index],
                    image_url=url,
                    image_bytes=size,
                )
            )
        return rows

    def _find(self, person: int, post: dict[str, Any]) -> None:
        mark = _MARK.search(post.get("caption") or "")
        if mark is None or not post["media"]:
            return
        index, media_id = int(mark[1]), post["media"][0]["id"]
        if index < self.post_count and index % self.posters == person:
            self.posts[index], self.post_media[index] = post["id"], media_id
            self.media[person] = media_id

    async def _upload(self, who: SeededPerson, picture: bytes) -> str:
        body = {"content_type": "image/jpeg", "size_bytes": len(picture)}
        reply = await self.api.call(
            "POST", "/media", token=who.token, body=body, key=f"seed-{time.time_ns()}-{who.person}"
        )
        media_id, upload = str(reply.value["media"]["id"]), reply.value["upload"]
        await self.api.put_object(upload["url"], upload.get("headers") or {}, picture)
        await self.api.call("POST", f"/media/{media_id}/complete", token=who.token, body={})
        return media_id

    def _counter(self, phase: str, total: int) -> ProgressCounter:
        return ProgressCounter(phase, total)


class ProgressCounter:
    """Counts the completed work of one phase and reports it at intervals."""

    def __init__(self, phase: str, total: int) -> None:
        self._phase, self._total, self._done = phase, total, 0
        progress.tell(phase, 0, total)

    def __call__(self) -> None:
        self._done += 1
        if self._done % _REPORT_EVERY == 0 or self._done == self._total:
            progress.tell(self._phase, self._done, self._total)


def empty_world(scenario: Scenario, api: Api) -> World:
    """An empty world of ``scenario``; raises SeedError when it has too many people to create."""
    if scenario.population.people > PEOPLE_MAX:
        raise SeedError(f"{scenario.population.people:,} people: seeding makes at most {PEOPLE_MAX:,}")
    return World(scenario=scenario, api=api, people_of=population.draw_population(scenario))
