"""A feed read whose requests pass every place once, each on its own host: gateway, feed, cache, then eight shards.

None of the shipped pages is like this, for real requests come back to the service and the gateway; it is the network
of textbooks, and of sizing by hand.
"""

from __future__ import annotations

from typing import Final

from core.names import Server
from core.profile import Demand, Profile, Wire
from core.scenario import Scenario
from sim.flow import Call, Each, Flow, OperationFlow, Stage, Use, Where, steps
from sim.parts import Parts, prepare
from tests.model.small import scenario
from tests.model.synthetic import QUIET

SHARDS: Final = 8
_DEMANDS: Final = {"gateway": 0.0003, "feed": 0.0018, "redis": 0.0004, "postgres": 0.012}


def asked(*, rate: str = "250/s", duration: str = "8s", seed: int = 7, cores: int = 1) -> Scenario:
    """The scenario: a host for each process, so that nothing shares cores."""
    names = ["gateway", "feed", "redis", *(f"postgres_{shard}" for shard in range(SHARDS))]
    hosts = {f"h{place}": {"cores": cores, "runs": [name]} for place, name in enumerate(names)}
    return scenario(
        rate=rate,
        duration=duration,
        seed=seed,
        mix={"feed.read": "100%"},
        timeout="60s",
        shards={"physical": SHARDS},
        placement={"hosts": {"rest": {"cores": 1}, **hosts}},
    )


def pages() -> dict[str, OperationFlow]:
    """One page, without the ways back."""
    shard: Flow = Call(link="feed_postgres", inner=Use(process=Server.POSTGRES, where=Where.EACH), answer_bytes=2_000)
    read = steps(
        Use(process="feed"),
        Call(link="feed_redis", inner=Use(process=Server.REDIS)),
        Stage(name="hydrate", inner=Each(process=Server.POSTGRES, inner=shard)),
    )
    front = Call(link="client_gateway", inner=steps(Use(process=Server.GATEWAY), Call(link="gateway_feed", inner=read)))
    return {"feed.read": OperationFlow(front=front)}


def profile(*, variation: float = 1.0) -> Profile:
    """Demands that bring the feed's event loop to 45 % at 250 requests a second."""
    return Profile(
        id="forward",
        measured="",
        commit="",
        machine={},
        scenario="",
        demands=tuple(
            Demand(
                operation="feed.read", process=name, rates_per_second=(1.0,), cpu_seconds=(need,), variation=variation
            )
            for name, need in _DEMANDS.items()
        ),
        wires=(Wire(link="loopback", median_seconds=0.0001, p99_seconds=0.0004),),
        delays=(),
        stalls=QUIET,
    )


def parts(**changes: object) -> Parts:
    """Ready for an engine."""
    return prepare(asked(**changes), profile(), pages=pages())  # type: ignore[arg-type]
