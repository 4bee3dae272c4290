"""All work of the services that no client waits for, and where its CPU is in a profile.

A job that an event starts is charged to the operation, or the background job of `core.operations.BACKGROUND`, that
caused it: it is done while that one is measured. What runs by the clock is the same with and without traffic; it is
measured while nothing is asked (`core.profile.Profile.background_cpu_ratio`).
"""

from __future__ import annotations

from typing import Final

#: Where the CPU of what runs by the clock is.
IDLE: Final = "idle"

#: By service and by what it hands to `services.kit.bus`.
JOBS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("ads", "publish"): (IDLE,),
    ("discovery", "consume_batches"): ("post.create", "like.add", "comment.add", "post.delete"),
    ("discovery", "write"): (IDLE,),
    ("engagement", "settle"): (IDLE,),
    ("fanout", "consume"): ("fanout.deliver", "post.delete"),
    ("fanout", "consume_batches"): ("graph.follow", "graph.unfollow"),
    ("fanout", "tell_celebrities"): (IDLE,),
    ("feed", "consume_batches"): ("post.create", "post.delete", "media.process", "auth.signup"),
    ("feed", "look"): (IDLE,),
    ("graph", "consume_batches"): ("graph.follow", "graph.unfollow"),
    ("kit", "ask"): (IDLE,),  # of the outbox: what consumers have handled
    ("kit", "relay"): (
        *("auth.signup", "graph.follow", "graph.unfollow", "media.complete", "media.process", "post.create"),
        *("post.delete", "like.add", "like.remove", "comment.add", "story.create", "story.delete"),
    ),
    ("media", "_sweep_on"): (IDLE,),
    ("media", "_work_on"): ("media.process",),
    ("media", "consume"): ("media.process",),
    ("media", "run"): ("media.remove",),
    ("posts", "consume"): (IDLE,),  # photos that cannot be rendered, which neither load nor model has
    ("search", "run"): ("auth.signup", "post.create", "post.delete"),
    ("stories", "consume_batches"): ("story.create", "story.delete"),
    ("stories", "settle"): (IDLE,),
    ("upload", "run"): (IDLE,),  # the sweeper of photos that never came
}
