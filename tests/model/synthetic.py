"""A calibration profile with made-up, round durations, so that what a test expects can be worked out by hand."""

from __future__ import annotations

from collections.abc import Collection

from core.profile import CpuDemand, Delay, LinkDelay, Profile, Stalls

QUIET = Stalls(per_second=(), upto_seconds=(), mean_seconds=(), lost_ratio=0.0)
STALLS = Stalls(per_second=(4.0, 0.4), upto_seconds=(0.0005, 0.002), mean_seconds=(0.0002, 0.0008), lost_ratio=0.0011)

#: Operation → process → CPU milliseconds.
_MILLISECONDS = {
    "feed.read": {"gateway": 0.15, "feed": 2.4, "redis": 0.25, "toxiproxy": 0.2},
    "feed.read/degraded": {"gateway": 0.15, "feed": 4.0, "postgres": 3.0},
    "like.add": {"gateway": 0.12, "engagement": 0.9, "postgres": 0.5, "redis": 0.05, "kafka": 0.2, "discovery": 0.3},
    "image.read": {"edge": 0.1, "shield": 0.02, "objects": 0.05},
    "story.tray": {"gateway": 0.12, "stories": 0.9, "redis": 0.1},
    "search.users": {"gateway": 0.12, "search": 0.8},
    "media.create": {"gateway": 0.15, "upload": 1.5, "postgres": 0.6},
    "object.put": {"front": 1.5, "objects": 2.0},
    "media.complete": {"gateway": 0.15, "upload": 3.0, "postgres": 0.8, "objects": 0.5, "kafka": 0.3},
    "media.process": {"media": 180.0, "objects": 5.0, "postgres": 1.0, "clamd": 2.0, "kafka": 0.3, "feed": 0.5},
    "post.create": {"gateway": 0.15, "posts": 1.6, "postgres": 1.0, "kafka": 0.3, "feed": 0.3},
    "fanout.deliver": {"fanout": 2.0},
    "post.delete": {"gateway": 0.12, "posts": 0.9, "postgres": 0.8, "kafka": 0.2, "fanout": 0.5},
    "story.create": {"gateway": 0.15, "stories": 1.4, "postgres": 0.9, "redis": 0.1, "kafka": 0.2},
    "story.delete": {"gateway": 0.12, "stories": 1.0, "postgres": 0.9, "redis": 0.1, "kafka": 0.2},
    "media.delete": {"gateway": 0.12, "upload": 0.9, "postgres": 0.8},
    "auth.signup": {"gateway": 0.15, "auth": 60.0, "postgres": 0.9, "kafka": 0.2},
    "auth.login": {"gateway": 0.15, "auth": 55.0, "postgres": 0.3},
    "user.read": {"gateway": 0.12, "graph": 0.9, "postgres": 0.4},
    "graph.follow": {"gateway": 0.12, "graph": 1.1, "postgres": 0.9, "kafka": 0.2},
    "graph.unfollow": {"gateway": 0.12, "graph": 1.1, "postgres": 0.9, "kafka": 0.2},
    "graph.followers": {"gateway": 0.13, "graph": 1.0, "postgres": 0.5},
    "graph.following": {"gateway": 0.13, "graph": 1.0, "postgres": 0.5},
    "media.read": {"gateway": 0.12, "upload": 0.8, "postgres": 0.3},
    "post.read": {"gateway": 0.12, "posts": 0.9, "postgres": 0.4},
    "user.posts": {"gateway": 0.14, "posts": 1.4, "postgres": 0.6},
    "like.remove": {"gateway": 0.12, "engagement": 0.9, "postgres": 0.5, "kafka": 0.2},
    "comment.add": {"gateway": 0.13, "engagement": 1.2, "postgres": 0.8, "kafka": 0.2},
    "comment.list": {"gateway": 0.13, "engagement": 1.0, "postgres": 0.5},
    "story.seen": {"gateway": 0.12, "stories": 0.7, "postgres": 0.4},
    "search.hashtags": {"gateway": 0.12, "search": 0.6},
    "media.remove": {"media": 4.0, "postgres": 0.6, "objects": 1.5, "shield": 0.4, "edge": 0.4},
}


def profile(
    *, variation: float = 0.4, stalls: Stalls = STALLS, idle: bool = True, without: Collection[str] = ()
) -> Profile:
    """The whole profile, but for the operations ``without``."""
    return Profile(
        id="synthetic",
        measured="2026-11-21T00:00:00Z",
        commit="synthetic",
        machine={},
        scenario="viral_post_small",
        demands=tuple(
            CpuDemand(
                operation=operation,
                process=process,
                rates_per_second=(10.0, 100.0),
                cpu_seconds=(milliseconds / 1e3, milliseconds / 1.25e3),
                variation=variation,
            )
            for operation, costs in _MILLISECONDS.items()
            if operation not in without
            for process, milliseconds in costs.items()
        ),
        wires=(LinkDelay(link="loopback", median_seconds=0.00005, p99_seconds=0.0002),),
        delays=(Delay(station="postgres.commit", median_seconds=0.0008, p99_seconds=0.003),),
        stalls=stalls,
        background_cpu_ratio={"kafka": 0.01, "feed": 0.005, "postgres_0": 0.002} if idle else {},
        batch_sizes={"fanout.deliver": 50.0},
        refusal_cpu_seconds=0.00002,
    )
