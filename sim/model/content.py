"""What requests are about: shards of people, photos and their sizes, whose posts stand on whose page.

All of it is a function of the population, computed when first asked for; nothing here takes simulated time.
"""

from __future__ import annotations

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
from core.traffic import NO_TARGET, VIRAL_POST, Ints
from sim.model.caches import node_of
from sim.model.flow import Keys

#: Edges of the graph up to which "whom does a person follow?" is tabulated; beyond it a page holds popular posts only,
#: and who follows nobody is drawn.
EDGES_MAX: Final = 2_000_000
#: Pixels: the JPEG that a feed shows, as the worker makes it.
_VARIANT_WIDTH: Final = 640
POST_CARD_BYTES: Final = 900
AUTHOR_CARD_BYTES: Final = 150


class Content:
    """Answers about one scenario's people and posts."""

    def __init__(self, scenario: Scenario, *, viral_author: int | None):
        self.people = population_of.draw_population(scenario)
        self._scenario = scenario
        self._viral_author = viral_author
        self._instances: dict[int, int] = {}
        self._nodes: dict[int, int] = {}
        self._homes: Ints | None = None
        self._shares = [region.people_ratio for region in scenario.system.regions.values()]
        self._pulls: dict[int, int] = {}
        self._pages: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self._followees: tuple[Ints, Ints] | None = None
        self._plans: dict[int, policy.FanoutPlan] = {}
        self._sizes = streams.named(scenario.seed, "model.photo")
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

    @property
    def viral_author(self) -> int | None:
        """Whose post goes viral."""
        return self._viral_author

    def instance(self, person: int) -> int:
        """PostgreSQL instance that holds this person's rows."""
        found = self._instances.get(person)
        if found is None:
            shards = self._scenario.system.shards
            logical = ids.shard_of_name(self.people.username(person), shards.logical)
            found = self._instances[person] = physical_of(logical, shards.physical)
        return found

    def home(self, person: int) -> int:
        """Place of the region where this person lives."""
        return int(self.homes()[person])

    def homes(self) -> Ints:
        """`home` of everybody."""
        if self._homes is None:
            self._homes = homes.home_regions(self._scenario)
        return self._homes

    def share(self, region: int) -> float:
        """Share of the people who live in a region."""
        return self._shares[region]

    def node(self, person: int) -> int:
        """Redis node that holds this person's keys."""
        found = self._nodes.get(person)
        if found is None:
            found = self._nodes[person] = node_of(Cache.TIMELINE, person, self._scenario.system.redis.nodes)
        return found

    def counter_node(self, post: int) -> int:
        """Redis node that holds the counter of a post, or the first of its keys."""
        return node_of_key(Key.LIKES.format(post=post), self._scenario.system.redis.nodes)

    def post(self, target: int) -> int:
        """Number of the post that an act is about; the viral one comes behind all that were there before."""
        return self.people.posters * self._scenario.population.posts_per_poster if target == VIRAL_POST else target

    def posts(self, targets: Ints) -> Ints:
        """`post` of many at once."""
        return np.where(targets == VIRAL_POST, self.post(VIRAL_POST), targets)

    def author(self, target: int, person: int) -> int:
        """Whose post or profile an act is about; the person's own where it has no target."""
        if target == VIRAL_POST and self._viral_author is not None:
            return self._viral_author
        return person if target <= NO_TARGET else target % self.people.posters

    def authors(self, targets: Ints, persons: Ints) -> Ints:
        """`author` of many acts at once."""
        viral = -1 if self._viral_author is None else self._viral_author
        known = np.where(targets <= NO_TARGET, persons, targets % self.people.posters)
        return np.where((targets == VIRAL_POST) & (viral >= 0), viral, known)

    def keys(self, keys: Keys, *, person: int, author: int) -> tuple[int, ...]:
        """Keys of this kind that a request looks up, whose ``person`` asks for a post of ``author``."""
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
        """Keys of this kind that there can be, from 0 on."""
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
        """Bytes of the variant that readers load: every post of an author shows the author's one photo."""
        return int(self.photos_bytes(np.array([author]))[0])

    def photos_bytes(self, authors: Ints) -> Ints:
        """`photo_bytes` of many at once."""
        photo = self._scenario.population.photo
        pixels = _VARIANT_WIDTH**2 * photo.height / photo.width
        return np.rint(pixels * JPEG_BYTES_PER_PIXEL * (0.6 + 0.8 * self._sizes.uniforms(authors))).astype(np.int64)

    @property
    def tabulated(self) -> bool:
        """Whether it is known whom each person follows; where not, everybody is shown the same page."""
        return self._edges_count <= EDGES_MAX

    def page(self, person: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Posts and authors of the person's feed page: the followed ones' newest, then the most popular posts."""
        person = person if self.tabulated else 0
        found = self._pages.get(person)
        if found is None:
            posters = self.people.posters
            newest = self._scenario.population.posts_per_poster - 1
            rows = range(newest, -1, -1)
            own = [row * posters + author for row in rows for author in self._following(person)]
            own = own[: self._quota.followed]
            taken = set(own)
            popular = (row * posters + author for row in rows for author in range(posters))
            wanted = self._quota.followed + self._quota.recommended - len(own)
            other = [post for _, post in zip(range(wanted + len(own)), popular, strict=False) if post not in taken]
            posts = (*own, *other[:wanted])
            authors = tuple(dict.fromkeys(post % posters for post in posts))
            found = self._pages[person] = (posts, authors)
        return found

    def followers(self) -> Ints:
        """Everybody who follows somebody, so that fan-out has written a timeline for them."""
        people = self.people.people
        if self.tabulated:
            return np.flatnonzero(np.diff(self._table()[0]))
        shares = self.people.follower_counts[: self.people.posters] / (people - 1)
        with np.errstate(divide="ignore"):  # an author whom everybody follows
            nobody = np.exp(np.log1p(-shares).sum())
        drawn = streams.named(self._scenario.seed, "model.follows").uniforms(np.arange(people))
        return np.flatnonzero(drawn >= nobody)

    def fanout(self, author: int) -> policy.FanoutPlan:
        """What a post of ``author`` costs."""
        return self._plan(int(self.people.follower_counts[author]))

    def splits(self, authors: Ints) -> tuple[Ints, Ints]:
        """`fanout` of many at once: timelines to write, readers who will pull."""
        counts, place = np.unique(self.people.follower_counts[authors], return_inverse=True)
        plans = [self._plan(int(count)) for count in counts]
        pushed = np.array([plan.push_count for plan in plans], dtype=np.int64)
        pulled = np.array([plan.pull_count for plan in plans], dtype=np.int64)
        return pushed[place], pulled[place]

    def _plan(self, followers: int) -> policy.FanoutPlan:
        found = self._plans.get(followers)
        if found is None:
            settings = self._scenario.system.fanout
            celebrity = policy.is_celebrity(
                followers=followers,
                was_celebrity=False,
                threshold=settings.threshold,
                hysteresis_ratio=settings.hysteresis_ratio,
            )
            found = policy.split(followers=followers, active_followers=followers, celebrity=celebrity)
            self._plans[followers] = found
        return found

    def readers(self, author: int) -> int:
        """How many see a post of ``author``, pushed or pulled."""
        plan = self.fanout(author)
        return plan.push_count + plan.pull_count

    def celebrities(self) -> int:
        """Authors whose posts readers pull."""
        return int(self._is_celebrity.sum())

    def pulls(self, person: int) -> float:
        """Celebrities whose posts this reader pulls; those of a reader in the mean where the graph is not tabulated."""
        if not self.tabulated:
            return self.mean_pull_count()
        found = self._pulls.get(person)
        if found is None:
            found = self._pulls[person] = int(self._is_celebrity[self._following(person)].sum())
        return found

    def mean_pull_count(self) -> float:
        """Celebrities whose posts a reader pulls, in the mean over all people."""
        return self._pull_mean

    def mean_push_count(self) -> float:
        """Timelines written for one post, in the mean over those who post."""
        return self._push_mean

    def _following(self, person: int) -> list[int]:
        if not self.tabulated:
            return []
        begins, authors = self._table()
        followed: list[int] = authors[begins[person] : begins[person + 1]].tolist()
        return followed

    def _table(self) -> tuple[Ints, Ints]:
        """Whom everybody follows: those of person p are from the p-th place to the next in the list of authors."""
        if self._followees is None:
            posters = range(self.people.posters)
            lists = [self.people.followers(author) for author in posters]
            follower = np.concatenate(lists)
            author = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
            begins = np.concatenate([[0], np.cumsum(np.bincount(follower, minlength=self.people.people))])
            self._followees = begins, author[np.argsort(follower, kind="stable")]
        return self._followees
