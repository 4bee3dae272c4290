"""The feed's protocol over interleavings: whatever happens between two pages, a session gives every followed post once.

The machine models the stores (PostgreSQL, a timeline and authors' lists of six posts, who is pulled) and calls the
service's own decisions for everything else: merging, composing pages, positions. Everything that a post, a follow or a
change of sides does to the stores may happen between any two pages; what a session must show is checked when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from core import ids
from core.names import Source
from core.policies.stitch import Candidate, Quota, quota
from services.feed.rules.merge import Part, merge
from services.feed.rules.page import Offer, compose, followed_needed, recommended_needed
from services.feed.rules.session import (
    BYTES_MAX,
    GIVEN_MAX,
    WAITING_MAX,
    Position,
    decoded,
    mark,
    must_keep,
    room_for_recommendations,
)

READER = 0
AUTHORS = range(1, 6)
DEPTH = 6
LATE_MAX = 12  # late posts at once: a session can distinguish so many from those that it has shown
PULLED_MAX = 2  # celebrities of one reader that are looked up in Redis
ADS = 3


@dataclass
class Kept:
    """A set of posts of the newest `DEPTH`, complete from id ``floor`` on."""

    post_ids: set[int]
    floor: int = 0

    def add(self, post_ids: set[int], *, floor: int = 0) -> None:
        self.floor = max(self.floor, floor)
        self.post_ids |= {post_id for post_id in post_ids if post_id >= self.floor}
        newest = sorted(self.post_ids, reverse=True)
        if len(newest) > DEPTH:
            self.floor = max(self.floor, newest[DEPTH] + 1)
            self.post_ids = set(newest[:DEPTH])

    def part(self, *, before: int, count: int) -> Part:
        held = sorted((each for each in self.post_ids if self.floor <= each < before), reverse=True)
        cut = len(held) >= count
        return Part(post_ids=held[:count], bound=held[count - 1] if cut else self.floor, cut=cut)


@dataclass
class Session:
    """What one session has shown, and what it must still show."""

    position: Position
    owed: set[int]  # followed posts that were there when it began
    late: set[int]  # those of them that are not delivered yet
    followed_throughout: set[int]
    looks: bool = True  # whether late posts can be distinguished from those shown
    given: list[int] = field(default_factory=list)
    recommended: list[int] = field(default_factory=list)
    redis_marks: set[int] = field(default_factory=set)
    redis_lost: bool = False


class Feeds(RuleBasedStateMachine):
    """One reader, five authors."""

    @initialize(follows=st.sets(st.sampled_from(AUTHORS), min_size=1), reads=st.booleans())
    def begin(self, follows: set[int], reads: bool) -> None:
        self.now_ms = ids.EPOCH_MS + 1_000
        self.author_of: dict[int, int] = {}  # PostgreSQL: all posts
        self.undelivered: list[int] = []
        self.follows = follows
        self.left: set[int] = set()  # unfollowed lately: not recommended
        self.celebrities: set[int] = set()
        self.pulled: set[int] | None = set()  # None: Redis has lost it
        self.fell_at: dict[int, int] = {}
        self.timeline: Kept | None = Kept(set()) if reads else None
        self.lists: dict[int, Kept] = {}
        self.session: Session | None = None

    @rule(
        author=st.sampled_from((READER, *AUTHORS)),
        count=st.sampled_from([1, 2, 3, 5, 8, 12, 40]),
        late=st.booleans(),
        tick=st.booleans(),
    )
    def post(self, author: int, count: int, late: bool, tick: bool) -> None:
        if late and len(self.undelivered) + count > LATE_MAX:
            late = False
        for _ in range(count):
            self.now_ms += int(tick)
            post_id = ids.compose(created_ms=self.now_ms, shard=author, sequence=len(self.author_of) % 1024)
            self.author_of[post_id] = author
            self.undelivered.append(post_id)
        if not late:
            self.deliver()

    @rule()
    def deliver(self) -> None:
        for post_id in self.undelivered:
            author = self.author_of.get(post_id)
            if author is None:
                continue
            if author in self.lists:
                self.lists[author].add({post_id})
            if author in self.celebrities:
                self._publish(author)  # in case the process that marked the author has crashed
            if self.timeline is not None and (
                author == READER or (author in self.follows and author not in self.celebrities)
            ):
                self.timeline.add({post_id})
        self.undelivered.clear()

    @rule(
        author=st.sampled_from(AUTHORS), how=st.sampled_from(["follow", "follow", "unfollow", "rise", "rise", "fall"])
    )
    def change(self, author: int, how: str) -> None:
        getattr(self, f"_{how}")(author)

    def _follow(self, author: int) -> None:
        if author in self.follows:
            return
        self.follows.add(author)
        self.left.discard(author)
        if author in self.celebrities:
            self._publish(author)
        elif self.timeline is not None:
            self._merge(author)

    def _merge(self, author: int) -> None:
        assert self.timeline is not None
        theirs = self._posts({author}, from_id=self.timeline.floor, count=DEPTH + 1)
        floor = theirs[DEPTH] + 1 if len(theirs) > DEPTH else 0
        self.timeline.add(set(theirs[:DEPTH]), floor=floor)

    def _unfollow(self, author: int) -> None:
        if author in self.follows:
            self.left.add(author)
        self.follows.discard(author)
        if self.timeline is not None:
            self.timeline.post_ids -= {each for each in self.timeline.post_ids if self.author_of.get(each) == author}
        if self.session is not None:
            self.session.followed_throughout.discard(author)

    def _rise(self, author: int) -> None:
        """Marked; whoever marked the author publishes it next, or crashes."""
        self.celebrities.add(author)
        self.fell_at.pop(author, None)

    def _publish(self, author: int) -> None:
        if self.pulled is not None:
            self.pulled.add(author)

    def _look(self) -> None:
        """The check of marked authors, every two seconds."""
        self.pulled = self.celebrities | self.fell_at.keys()

    def _fall(self, author: int) -> None:
        if author in self.celebrities:
            self.celebrities.discard(author)
            self.fell_at[author] = self.now_ms
            self.now_ms += 1

    def _a_day_passes(self) -> None:
        """Timelines and authors' lists expire, and with them the reason to pull those who have fallen."""
        self.timeline = None
        self.lists.clear()
        self.fell_at.clear()
        self._look()

    @rule(which=st.integers(0, 200))
    def delete(self, which: int) -> None:
        if self.author_of:
            post_id = sorted(self.author_of)[which % len(self.author_of)]
            author = self.author_of.pop(post_id)
            if author in self.lists:
                self.lists[author].post_ids.discard(post_id)
            if self.timeline is not None and author not in self.celebrities:
                self.timeline.post_ids.discard(post_id)

    # --- what the stores do ------------------------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(
            [
                "refill",
                "refill_lists",
                "expire",
                "evict",
                "a_day_passes",
                "lose_pulled",
                "look",
                "publish",
                "forget_session",
            ]
        ),
        author=st.sampled_from(AUTHORS),
    )
    def stores(self, what: str, author: int) -> None:
        match what:
            case "refill":
                self.timeline = self.timeline or self._kept({READER, *self.follows})
            case "refill_lists":
                for each in AUTHORS:
                    self.lists.setdefault(each, self._kept({each}))
            case "expire":
                self.timeline = None
            case "evict":
                self.lists.pop(author, None)
            case "a_day_passes":
                self._a_day_passes()
            case "lose_pulled":
                self.pulled = None
            case "look":
                self._look()
            case "publish" if author in self.celebrities:
                self._publish(author)
            case _ if self.session is not None and self.session.redis_marks:
                self.session.redis_marks.clear()
                self.session.redis_lost = True

    def _kept(self, authors: set[int]) -> Kept:
        found = self._posts(authors, count=DEPTH + 1)
        return Kept(set(found[:DEPTH]), floor=found[DEPTH] + 1 if len(found) > DEPTH else 0)

    def _posts(self, authors: set[int], *, before: int = ids.ID_MAX, from_id: int = 0, count: int) -> list[int]:
        found = [each for each, author in self.author_of.items() if author in authors and from_id <= each < before]
        return sorted(found, reverse=True)[:count]

    # --- the reader --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.session is None)
    @rule(chronological=st.booleans())
    def open(self, chronological: bool) -> None:
        self.now_ms += 1
        self.session = Session(
            position=Position(mode="chronological" if chronological else "ranked"),
            owed=set(self._posts({READER, *self.follows}, count=10**9)),
            late=set(self.undelivered),
            followed_throughout={READER, *self.follows},
        )

    @precondition(lambda self: self.session is not None)
    @rule(limit=st.sampled_from([1, 2, 3, 7, 20, 50]), pages=st.integers(1, 4))
    def read(self, limit: int, pages: int) -> None:
        for _ in range(pages):
            if self.session is not None:
                self._page(limit)

    @precondition(lambda self: self.session is not None)
    @rule(limit=st.sampled_from([3, 20, 100]))
    def read_to_the_end(self, limit: int) -> None:
        self.deliver()
        pages = 0
        while self.session is not None:
            self._page(limit)
            pages += 1
            assert pages <= len(self.author_of) + 2

    def _page(self, limit: int) -> None:
        session = self.session
        assert session is not None
        position = session.position
        slots = quota(limit, followed_ratio=0.6, recommended_ratio=0.3, ads_ratio=0.1, ads=ADS, shown=position.items)
        given, kept = set(position.given), False
        if position.mode == "ranked" and must_keep(position, page_posts=limit):
            session.redis_marks |= given
            kept = True
        given |= session.redis_marks
        for scale in (1, 2, 100):
            offer, skipped = self._offer(position, slots, scale, given)
            composed = compose(
                offer, slots=slots, position=position, last_try=scale == 100, kept=kept, now_ms=self.now_ms
            )
            if not composed.wants_more:
                break
        items = composed.items
        posts = [item for item in items if item.source is not Source.AD]
        session.given += [item.item_id for item in posts]
        session.recommended += [item.item_id for item in posts if item.source is Source.RECOMMENDED]
        session.owed -= skipped  # shown before, as recommendations
        if composed.following is None:
            self._ended(session)
            self.session = None
            return
        assert len(posts) == slots.posts, "a page is short only at the end"
        data = composed.following.encoded()
        assert len(data) <= BYTES_MAX
        assert decoded(data) == composed.following
        assert len(composed.following.waiting) <= WAITING_MAX
        assert len(composed.following.given) <= GIVEN_MAX
        session.position = composed.following
        session.looks &= session.position.watch <= session.position.start

    def _offer(self, position: Position, slots: Quota, scale: int, given: set[int]) -> tuple[Offer, set[int]]:
        popular = [
            each
            for each, author in sorted(self.author_of.items(), key=lambda item: mark(item[0]))
            if author != READER and mark(each) not in given and (not position.start or each <= position.start)
        ]
        pool = popular if scale > 1 else popular[: slots.posts + 4]
        count = scale * followed_needed(slots, recommended_available=len(pool), mode=position.mode)
        stream, ended, late = self._followed(position, count)
        recommended = [each for each in pool if self.author_of[each] not in self.follows | self.left]
        room = room_for_recommendations(position)
        available = len(late) + len(position.waiting) + len(stream)
        most = scale * recommended_needed(slots, followed_available=available, position=position)

        def candidates(post_ids: list[int], source: Source) -> list[Candidate]:
            return [
                Candidate(item_id=each, author_id=self.author_of[each], source=source, rank_key=0.0)
                for each in post_ids
                if each in self.author_of and (source is Source.RECOMMENDED or mark(each) not in given)
            ]

        skipped = {each for each in (*late, *position.waiting, *stream) if mark(each) in given}
        offer = Offer(
            late=candidates(late, Source.TIMELINE),
            waiting=candidates(list(position.waiting), Source.TIMELINE),
            stream=candidates(stream, Source.TIMELINE),
            stream_ids=stream,
            followed_ended=ended,
            recommended=candidates(recommended[:most], Source.RECOMMENDED),
            recommended_ended=room == 0 or (len(pool) == len(popular) and len(recommended) <= most),
        )
        return offer, skipped

    def _followed(self, position: Position, count: int) -> tuple[list[int], bool, list[int]]:
        """As `services.feed.routes.skeleton` reads them."""
        span, everybody = position.late, {READER, *self.follows}
        late: set[int] = set()
        pulled = None if self.pulled is None else self.pulled & self.follows
        if self.timeline is None or pulled is None or len(pulled) > PULLED_MAX:
            found = self._posts(everybody, before=position.before, count=count + 1)
            if span is not None:
                late.update(self._posts(everybody, before=span.newest + 1, from_id=span.oldest, count=span.count))
                late = set(filter(span.holds, late))
            return found[:count], len(found) <= count, sorted(late, reverse=True)
        parts = [self.timeline.part(before=position.before, count=count)]
        sets = [self.timeline]
        missing = set()
        for author in pulled:
            if author in self.lists:
                parts.append(self.lists[author].part(before=position.before, count=count))
                sets.append(self.lists[author])
            else:
                missing.add(author)
        if missing:
            found = self._posts(missing, before=position.before, count=count + 1)
            cut = len(found) > count
            parts.append(Part(post_ids=found, bound=found[-1] if cut else 0, cut=cut))
        if span is not None:
            for kept in sets:
                newest = sorted((each for each in kept.post_ids if each >= kept.floor), reverse=True)
                late.update(filter(span.holds, newest[: span.count]))
            late.update(filter(span.holds, self._posts(missing, from_id=span.oldest, count=span.count)))
            if span.begins_before(max(each.floor for each in sets)):
                found = self._posts(everybody, before=span.newest + 1, from_id=span.oldest, count=span.count)
                late.update(filter(span.holds, found))
        merged = merge(parts, before=position.before, count=count)
        posts, ended = merged.post_ids, merged.ended
        if merged.older_than is not None:
            wanted = count + 1 - len(posts)
            older = self._posts(everybody, before=merged.older_than, count=wanted)
            posts, ended = [*posts, *older][:count], len(older) < wanted
        return posts, ended, sorted(late, reverse=True)

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _ended(self, session: Session) -> None:
        given = session.given
        if not session.redis_lost:
            assert len(given) == len(set(given)), "nothing is given twice"
        followed = [each for each in given if each not in session.recommended]
        assert len(followed) == len(set(followed))
        owed = {each for each in session.owed if self.author_of.get(each) in session.followed_throughout} - set(
            self.undelivered
        )
        if not session.looks:
            owed -= session.late
        assert owed <= set(given), "no followed post is missing"
        if session.position.mode == "chronological":
            assert not session.recommended


Feeds.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
test_whatever_happens_between_pages_a_session_gives_every_followed_post_once = Feeds.TestCase
