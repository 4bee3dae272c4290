"""The content that requests are about: shards of people, sizes of photos, the posts on each person's page.

All of it is a function of the population, computed on first use; nothing here takes simulated time.
"""

from __future__ import annotations

from functools import cache, cached_property, partial
from typing import Final, assert_never

import numpy as np

from core import homes, ids, streams
from core import population as population_of
from core.bounds import JPEG_BYTES_PER_PIXEL
from core.names import Cache, Key
from core.policies import fanout as policy
from core.policies.ads import HOUSE_ADS
from core.policies.shard import node_of_key, physical_of
from core.policies.stitch import quota
from core.scenario import Scenario
from core.scenario.model import Fanout
from core.scenario.shards import ShardSettings
from core.traffic import NO_TARGET, VIRAL_POST, Ints
from sim.model.caches import node_of
from sim.model.flow import Keys

#: Edges of the graph up to which the accounts that each person follows are tabulated. In a larger graph a page holds
#: popular posts only, and it is drawn at random who follows nobody.
EDGES_MAX: Final = 2_000_000
#: Pixels of the JPEG that a feed shows, as the media worker renders it.
_VARIANT_WIDTH: Final = 640


class Content:
    """The people and posts of one scenario.

    ``instance(person)`` is the PostgreSQL instance that holds a person's rows, ``node(person)`` the Redis node that
    holds a person's keys.
    """

    def __init__(self, scenario: Scenario, *, viral_author: int | None):
        self.people = population_of.draw_population(scenario)
        self.viral_author = viral_author  # whose post goes viral
        self._scenario = scenario
        self._shares = [region.people_ratio for region in scenario.system.regions.values()]
        self._sizes = streams.named(scenario.seed, "model.photo")
        self._pages: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self._pulls: dict[int, int] = {}
        # without a reference to this object, so that it is freed as soon as its run is over
        self.instance = cache(partial(_instance_of, self.people, scenario.system.shards))
        self.node = cache(partial(node_of, Cache.TIMELINE, nodes=scenario.system.redis.nodes))
        self._plan = cache(partial(_plan_of, scenario.system.fanout))
        mix = scenario.system.feed.mix
        self._quota = quota(
            scenario.system.feed.page,
            followed_ratio=mix.followed_ratio,
            recommended_ratio=mix.recommended_ratio,
            ads_ratio=mix.ads_ratio,
            ads=HOUSE_ADS,
        )
        posters = np.arange(self.people.posters)
        pushed, pulled = self.splits(posters)
        self._is_celebrity = pulled > 0
        self._edges_count = self.people.follow_count
        self._pull_mean = float(pulled.sum() / self.people.people)
        self._push_mean = float(pushed.sum() / len(posters))

    def home(self, person: int) -> int:
        """Index of the region where this person lives."""
        return int(self.homes[person])

    @cached_property
    def homes(self) -> Ints:
        """`home` of everybody."""
        return homes.home_regions(self._scenario)

    def share(self, region: int) -> float:
        """Share of the people who live in a region."""
        return self._shares[region]

    def counter_node(self, post: int) -> int:
        """Redis node that holds the counter of a post, or the first key of that counter."""
        return node_of_key(Key.LIKES.format(post=post), self._scenario.system.redis.nodes)

    def post(self, target: int) -> int:
        """Number of the post that an act is about; the viral post has the number after all earlier posts."""
        return self.people.posters * self._scenario.population.posts_per_poster if target == VIRAL_POST else target

    def posts(self, targets: Ints) -> Ints:
        """`post` of many at once."""
        return np.where(targets == VIRAL_POST, self.post(VIRAL_POST), targets)

    def author(self, target: int, person: int) -> int:
        """Author of the post or owner of the profile that an act is about; who acts, where the act has no target."""
        if target == VIRAL_POST and self.viral_author is not None:
            return self.viral_author
        return person if target <= NO_TARGET else target % self.people.posters

    def authors(self, targets: Ints, persons: Ints) -> Ints:
        """`author` of many acts at once."""
        viral = -1 if self.viral_author is None else self.viral_author
        known = np.where(targets <= NO_TARGET, persons, targets % self.people.posters)
        return np.where((targets == VIRAL_POST) & (viral >= 0), viral, known)

    def keys(self, keys: Keys, *, person: int, author: int) -> tuple[int, ...]:
        """Keys of this kind that a request of ``person`` for a post of ``author`` looks up."""
        match keys:
            case Keys.POSTS:
                return self.page(person)[0]
            case Keys.AUTHORS:
                return self.page(person)[1]
            case Keys.TIMELINE:
                return (person,)
            case Keys.PHOTO:
                return (author,)
            case _:
                assert_never(keys)

    def keys_count(self, keys: Keys) -> int:
        """Number of possible keys of this kind; they count from 0."""
        match keys:
            case Keys.POSTS:
                return self.people.posters * self._scenario.population.posts_per_poster
            case Keys.AUTHORS:
                return self.people.posters
            case Keys.TIMELINE | Keys.PHOTO:
                return self.people.people
            case _:
                assert_never(keys)

    def photo_bytes(self, author: int) -> int:
        """Bytes of the variant that readers load; all posts of an author show the same photo."""
        return int(self.photos_bytes(np.array([author]))[0])

    def photos_bytes(self, authors: Ints) -> Ints:
        """`photo_bytes` of many at once."""
        photo = self._scenario.population.photo
        pixels = _VARIANT_WIDTH**2 * photo.height / photo.width
        return np.rint(pixels * JPEG_BYTES_PER_PIXEL * (0.6 + 0.8 * self._sizes.uniforms(authors))).astype(np.int64)

    @property
    def tabulated(self) -> bool:
        """Whether it is tabulated whom each person follows; where it is not, everybody sees the same page."""
        return self._edges_count <= EDGES_MAX

    def page(self, person: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Posts and authors of the person's feed page: the newest posts of followed authors, then the most popular."""
        person = person if self.tabulated else 0
        if person not in self._pages:
            self._pages[person] = self._page(person)
        return self._pages[person]

    def _page(self, person: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        posters = self.people.posters
        rows = range(self._scenario.population.posts_per_poster - 1, -1, -1)
        own = [row * posters + author for row in rows for author in self._following(person)]
        own = own[: self._quota.followed]
        taken = set(own)
        popular = (row * posters + author for row in rows for author in range(posters))
        wanted = self._quota.followed + self._quota.recommended - len(own)
        other = [post for _, post in zip(range(wanted + len(own)), popular, strict=False) if post not in taken]
        posts = (*own, *other[:wanted])
        return posts, tuple(dict.fromkeys(post % posters for post in posts))

    def followers(self) -> Ints:
        """Everybody who follows somebody, and so has a timeline that fan-out has written."""
        people = self.people.people
        if self.tabulated:
            return np.flatnonzero(np.diff(self._followees[0]))
        shares = self.people.follower_counts[: self.people.posters] / (people - 1)
        with np.errstate(divide="ignore"):  # everybody may follow an author
            nobody = np.exp(np.log1p(-shares).sum())
        drawn = streams.named(self._scenario.seed, "model.follows").uniforms(np.arange(people))
        return np.flatnonzero(drawn >= nobody)

    def fanout(self, author: int) -> policy.FanoutPlan:
        """How many timelines a post of ``author`` is written to, and how many readers pull it."""
        return self._plan(int(self.people.follower_counts[author]))

    def splits(self, authors: Ints) -> tuple[Ints, Ints]:
        """`fanout` of many at once: timelines to write, readers who will pull."""
        counts, index = np.unique(self.people.follower_counts[authors], return_inverse=True)
        plans = [self._plan(int(count)) for count in counts]
        pushed = np.array([plan.push_count for plan in plans], dtype=np.int64)
        pulled = np.array([plan.pull_count for plan in plans], dtype=np.int64)
        return pushed[index], pulled[index]

    def readers(self, author: int) -> int:
        """Number of people who see a post of ``author``, pushed or pulled."""
        plan = self.fanout(author)
        return plan.push_count + plan.pull_count

    def celebrities(self) -> int:
        """Number of authors whose posts readers pull."""
        return int(self._is_celebrity.sum())

    def pulls(self, person: int) -> float:
        """Number of celebrities whose posts this reader pulls; the mean over readers where they are not tabulated."""
        if not self.tabulated:
            return self.mean_pull_count()
        if person not in self._pulls:
            self._pulls[person] = int(self._is_celebrity[self._following(person)].sum())
        return self._pulls[person]

    def mean_pull_count(self) -> float:
        """Celebrities whose posts a reader pulls, mean over all people."""
        return self._pull_mean

    def mean_push_count(self) -> float:
        """Timelines written for one post, mean over all authors."""
        return self._push_mean

    def _following(self, person: int) -> list[int]:
        if not self.tabulated:
            return []
        begins, authors = self._followees
        followed: list[int] = authors[begins[person] : begins[person + 1]].tolist()
        return followed

    @cached_property
    def _followees(self) -> tuple[Ints, Ints]:
        """Where the accounts that each person follows begin in a list of all, and this list."""
        lists = [self.people.followers(author) for author in range(self.people.posters)]
        follower = np.concatenate(lists)
        author = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        begins = np.concatenate([[0], np.cumsum(np.bincount(follower, minlength=self.people.people))])
        return begins, author[np.argsort(follower, kind="stable")]


def _instance_of(people: population_of.Population, shards: ShardSettings, person: int) -> int:
    return physical_of(ids.shard_of_name(people.username(person), shards.logical), shards.physical)


def _plan_of(fanout: Fanout, followers: int) -> policy.FanoutPlan:
    celebrity = policy.is_celebrity(
        followers=followers,
        was_celebrity=False,
        threshold=fanout.threshold,
        hysteresis_ratio=fanout.hysteresis_ratio,
    )
    return policy.split(followers=followers, active_followers=followers, celebrity=celebrity)
