"""The schedule of one scenario: which person does what to what, and when; the same for the load and for the model.

Arrivals are open: they come when they come, however slow the system is. Times count from the end of the warm-up, so
warm-up arrivals have negative times. Everything is drawn from named streams, so one seed gives one schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core import diurnal, streams
from core import population as population_of
from core.homes import of as homes_of
from core.operations import JOURNEYS, OPERATIONS
from core.scenario.model import Scenario, Viral

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Index in a schedule that stands for the viral post.
VIRAL_POST: Final = -1
#: No target: the act is about the person alone.
NO_TARGET: Final = -2

#: Acts that are about one post; their target is a post's index (see `Schedule.post`).
ABOUT_A_POST: Final = frozenset({"post.read", "like.add", "like.remove", "comment.add", "comment.list", "image.read"})
#: Acts that are about another person; their target is that person.
ABOUT_A_PERSON: Final = frozenset(
    {"user.read", "graph.follow", "graph.unfollow", "graph.followers", "graph.following", "user.posts", "search.users"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Arrivals sorted by time; the arrays have one length, and their index is the request's number.

    ``at_seconds`` from t0; ``act`` indexes ``acts``; ``person`` acts; ``target`` is a post's index for acts about a
    post (VIRAL_POST for the viral one), a person for acts about a person, else NO_TARGET. Post index p is the
    ``p // posters``-th post of person ``p % posters``.
    """

    acts: tuple[str, ...]
    at_seconds: Floats
    act: Ints
    person: Ints
    target: Ints
    viral_author: int | None
    viral_at_seconds: float | None

    def __len__(self) -> int:
        return len(self.at_seconds)


def of(scenario: Scenario) -> Schedule:
    """Draw the schedule of ``scenario``."""
    people = population_of.of(scenario)
    traffic = scenario.traffic
    acts = tuple(name for name in (*OPERATIONS, *JOURNEYS) if name in _acts_of(scenario))
    base = _arrivals(scenario)
    parts = [_choose(scenario, people, "base", base, traffic.mix_ratio, acts, homes=_homes(scenario))]
    author = None
    if traffic.viral is not None:
        author = people.nearest(traffic.viral.author.followers)
        times = _viral_arrivals(scenario, traffic.viral)
        act, person, target = _choose(scenario, people, "viral", times, traffic.viral.mix_ratio, acts)[1:]
        about_a_post = np.isin(act, [acts.index(name) for name in acts if name in ABOUT_A_POST])
        target = np.where(about_a_post, VIRAL_POST, target)
        followers = people.followers(author)
        if len(followers):
            pick = streams.named(scenario.seed, "traffic.viral.follower").uniforms(np.arange(len(times)))
            person = followers[(pick * len(followers)).astype(np.int64)]
        parts.append((times, act, person, target))
    at = np.concatenate([part[0] for part in parts])
    order = np.argsort(at, kind="stable")
    return Schedule(
        acts=acts,
        at_seconds=at[order],
        act=np.concatenate([part[1] for part in parts])[order],
        person=np.concatenate([part[2] for part in parts])[order],
        target=np.concatenate([part[3] for part in parts])[order],
        viral_author=author,
        viral_at_seconds=traffic.viral.at_seconds if traffic.viral else None,
    )


def viral_rate_per_second(viral: Viral, base_per_second: float, at_seconds: float) -> float:
    """Extra arrivals a second at a time: up to (factor − 1) × base in ``rise``, back to nothing in ``fall``."""
    since = at_seconds - viral.at_seconds
    peak = (viral.factor - 1.0) * base_per_second
    if since < 0:
        return 0.0
    if since < viral.rise_seconds:
        return peak * since / viral.rise_seconds
    return max(0.0, peak * (1.0 - (since - viral.rise_seconds) / viral.fall_seconds)) if viral.fall_seconds else 0.0


def _acts_of(scenario: Scenario) -> set[str]:
    names = set(scenario.traffic.mix_ratio)
    if scenario.traffic.viral is not None:
        names |= set(scenario.traffic.viral.mix_ratio)
    return names


def _arrivals(scenario: Scenario) -> Floats:
    traffic = scenario.traffic
    span = traffic.warm_up_seconds + traffic.duration_seconds
    if traffic.arrivals == "steady":
        count = int(span * traffic.rate_per_second)
        times = np.asarray((np.arange(count) + 0.5) / traffic.rate_per_second, dtype=np.float64)
    elif traffic.arrivals == "diurnal":
        times = _diurnal_arrivals(scenario)
    else:
        times = _poisson(scenario.seed, "traffic.arrivals", traffic.rate_per_second, span)
    return np.asarray(times - traffic.warm_up_seconds, dtype=np.float64)


def _viral_arrivals(scenario: Scenario, viral: Viral) -> Floats:
    """Thinning (Lewis and Shedler 1979) of a Poisson process at the peak rate."""
    base = scenario.traffic.rate_per_second
    peak = (viral.factor - 1.0) * base
    span = min(viral.rise_seconds + viral.fall_seconds, scenario.traffic.duration_seconds - viral.at_seconds)
    times = viral.at_seconds + _poisson(scenario.seed, "traffic.viral.arrivals", peak, span)
    keep = streams.named(scenario.seed, "traffic.viral.thinning").uniforms(np.arange(len(times)))
    rates = np.array([viral_rate_per_second(viral, base, at) for at in times])
    return times[keep * peak < rates]


def _diurnal_arrivals(scenario: Scenario) -> Floats:
    """Thinning, as of viral arrivals, of a Poisson process at the busiest moment's rate, from the warm-up's start."""
    load = scenario.traffic
    peak = load.rate_per_second * load.diurnal.factor
    times = _poisson(scenario.seed, "traffic.arrivals", peak, load.warm_up_seconds + load.duration_seconds)
    keep = streams.named(scenario.seed, "traffic.diurnal.thinning").uniforms(np.arange(len(times)))
    rates = load.rate_per_second * diurnal.weights(scenario, times - load.warm_up_seconds).sum(axis=0)
    kept: Floats = times[keep * peak < rates]
    return kept


def _homes(scenario: Scenario) -> Ints | None:
    """Home regions of all people, where it matters for who acts when."""
    several = len(scenario.system.regions) > 1
    return homes_of(scenario) if several and scenario.traffic.arrivals == "diurnal" else None


def _by_region(scenario: Scenario, times: Floats, drawn: Floats, homes: Ints) -> Ints:
    """Persons who act: of a region by how much of the traffic is its people's at that time, all of them alike."""
    shares = diurnal.weights(scenario, times)
    where = streams.named(scenario.seed, "traffic.base.region").uniforms(np.arange(len(times))) * shares.sum(axis=0)
    region = np.minimum((np.cumsum(shares, axis=0) <= where).sum(axis=0), len(shares) - 1)
    person = np.empty(len(times), dtype=np.int64)
    for place in range(len(shares)):
        people, mine = np.flatnonzero(homes == place), region == place
        person[mine] = people[(drawn[mine] * len(people)).astype(np.int64)]
    return person


def _poisson(seed: int, name: str, rate_per_second: float, span_seconds: float) -> Floats:
    stream = streams.named(seed, name)
    mean = rate_per_second * span_seconds
    count = int(mean + 10 * mean**0.5 + 20)
    times: Floats = np.cumsum(stream.exponentials(np.arange(count))) / rate_per_second
    return times[times < span_seconds]


def _choose(
    scenario: Scenario,
    people: population_of.Population,
    name: str,
    times: Floats,
    mix: dict[str, float],
    acts: tuple[str, ...],
    *,
    homes: Ints | None = None,
) -> tuple[Floats, Ints, Ints, Ints]:
    numbers = np.arange(len(times))

    def draw(what: str) -> Floats:
        return streams.named(scenario.seed, f"traffic.{name}.{what}").uniforms(numbers)

    names = list(mix)
    edges = np.cumsum([mix[each] for each in names])
    chosen = np.minimum(np.searchsorted(edges, draw("act"), side="right"), len(names) - 1)
    act = np.array([acts.index(each) for each in names], dtype=np.int64)[chosen]
    if homes is None:
        person = (draw("person") * people.people).astype(np.int64)
    else:
        person = _by_region(scenario, times, draw("person"), homes)
    uploads = np.isin(act, [acts.index(each) for each in acts if each in ("media.upload", "story.create")])
    person = np.where(uploads, person % people.posters, person)
    author_edges = np.cumsum(people.follower_counts[: people.posters] + 1.0)
    author = np.searchsorted(author_edges, draw("author") * author_edges[-1], side="right")
    nth = (draw("post") * scenario.population.posts_per_poster).astype(np.int64)
    post = nth * people.posters + np.minimum(author, people.posters - 1)
    somebody = (draw("somebody") * people.people).astype(np.int64)
    target = np.full(len(times), NO_TARGET, dtype=np.int64)
    about_post = np.isin(act, [acts.index(each) for each in acts if each in ABOUT_A_POST])
    about_person = np.isin(act, [acts.index(each) for each in acts if each in ABOUT_A_PERSON])
    target = np.where(about_post, post, np.where(about_person, somebody, target))
    return times, act, person, target
