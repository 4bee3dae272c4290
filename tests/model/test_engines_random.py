"""Two engines on scenarios that nobody chose: whatever is drawn, both follow the same sample path.

Every operation and job has a demand on every process, so work is behind the answer that no flow visits, and nothing is
left out because it costs nothing. The draws are the same in every run of the tests; others are tried with
``pytest --hypothesis-profile explore``.
"""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.names import Component, Server
from core.operations import BACKGROUND, JOURNEYS, ONLY_WITHIN_A_JOURNEY, OPERATIONS
from core.profile import DEGRADED, CpuDemand, Profile
from core.scenario import Scenario, ScenarioError
from sim.model.faults import FaultError
from sim.simulate import check, simulate
from tests.model import synthetic
from tests.model.small import scenario
from tests.model.test_engines import _same

_ACTS = sorted({*OPERATIONS, *JOURNEYS} - ONLY_WITHIN_A_JOURNEY)
_LINKS = (
    "feed_redis", "engagement_postgres", "engagement_redis", "upload_objects", "shield_objects", "gateway_engagement",
    "gateway_feed", "media_edge", "posts_postgres", "stories_redis", "graph_postgres",
)  # fmt: skip
_TOXICS = (
    {"latency": "80ms", "jitter": "30ms"}, {"bandwidth": "40KiB"}, {"timeout": "50ms"}, {"timeout": "0s"},
    {"reset": True}, {"down": True}, {"limit_data": "20kB"}, {"slow_close": "200ms"},
)  # fmt: skip


def everywhere() -> Profile:
    """The synthetic profile, with a small demand of everything on every process that it does not mention."""
    whole = synthetic.profile()
    found = {(each.operation, each.process): each for each in whole.demands}
    processes = sorted({*map(str, Component), *map(str, Server)} - {str(Server.PROMETHEUS)})
    for number, operation in enumerate((*OPERATIONS, *BACKGROUND, "feed.read" + DEGRADED)):
        for place, process in enumerate(processes):
            seconds = 1e-5 * (1 + (7 * number + 3 * place) % 11)
            found.setdefault(
                (operation, process),
                CpuDemand(
                    operation=operation,
                    process=process,
                    rates_per_second=(10.0, 100.0),
                    cpu_seconds=(seconds, 0.8 * seconds),
                    variation=0.5,
                ),
            )
    return Profile(
        **{
            **{name: getattr(whole, name) for name in whole.__struct_fields__},
            "demands": tuple(found.values()),
        }
    )


PROFILE = everywhere()


@st.composite
def mixes(draw: st.DrawFn) -> dict[str, str]:
    acts = draw(st.lists(st.sampled_from(_ACTS), min_size=1, max_size=5, unique=True))
    first = 100 - 10 * (len(acts) - 1)
    return {act: f"{first if index == 0 else 10}%" for index, act in enumerate(acts)}


@st.composite
def faults(draw: st.DrawFn, processes: tuple[str, ...], regions: tuple[str, ...]) -> dict[str, Any]:
    begins, lasts = draw(st.integers(0, 10)) / 10, draw(st.integers(1, 10)) / 10
    what: dict[str, Any] = {"at": f"{begins}s", "for": f"{lasts}s"}
    kind = draw(st.sampled_from(("link", "link", "process", "process", "region" if len(regions) > 1 else "link")))
    if kind == "link":
        return {**what, "link": draw(st.sampled_from(_LINKS)), **draw(st.sampled_from(_TOXICS))}
    if kind == "process":
        action = draw(st.sampled_from(("kill", "pause", "restart")))
        return {**what, "process": draw(st.sampled_from(processes)), "action": action}
    return {**what, "region": draw(st.sampled_from(regions))}


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    feeds, gateways = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    nodes, replicas = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    regions = draw(st.sampled_from(((), (), ("eu", "us"), ("eu", "us", "ap"))))
    several = draw(st.booleans())
    system: dict[str, Any] = {
        "admission": draw(st.booleans()),
        "feed": {"instances": feeds},
        "gateway": {"instances": gateways},
        "redis": {"nodes": nodes, "hot": draw(st.sampled_from(("5/s", "1000/s")))},
        "fanout": {"threshold": draw(st.sampled_from((5, 60, 1_000)))},
        "kafka": {"partitions": draw(st.integers(1, 6))},
        "cdn": {
            "edge": {"size": draw(st.sampled_from(("256KiB", "64MiB")))},
            "ttl": draw(st.sampled_from(("1s", "7d"))),
        },
        "retry": {"attempts": draw(st.integers(1, 3)), "backoff": "20ms"},
    }
    if replicas:
        mode = draw(st.sampled_from(("synchronous", "asynchronous")))
        system["shards"] = {
            "physical": 2,
            "replicas": replicas,
            "replication": {"mode": mode, "detection": "0.3s", "promotion": "0.2s", "own_writes": "0.2s"},
        }
        system["placement"] = {
            "hosts": {
                "front": {"cores": 2, "runs": ["gateway", "feed", "api"]},
                "data": {"cores": 1, "count": 3, "runs": ["postgres"]},
            }
        }
    elif several:
        system["placement"] = {"cores": {"stack": list(range(draw(st.integers(1, 3))))}, "instances": {"workers": 2}}
    if regions:
        share = 100 // len(regions)
        system["regions"] = {
            name: {"people": f"{100 - share * (len(regions) - 1) if index == 0 else share}%"}
            for index, name in enumerate(regions)
        }
        system["geo"] = {"health_check": "0.3s", "rtt": "40ms"}
    known = ["api", "postgres_0", "postgres_1", "kafka", "edge", "shield"]
    known += [f"feed-{number + 1}" for number in range(feeds)] if feeds > 1 else ["feed"]
    known += [f"gateway-{number + 1}" for number in range(gateways)] if gateways > 1 else ["gateway"]
    known += [f"redis-{number + 1}" for number in range(nodes)] if nodes > 1 else ["redis"]
    names = tuple(f"{regions[0]}/{name}" for name in known) if regions else tuple(known)
    broken = draw(st.lists(faults(names, regions), max_size=3))
    viral = {"at": "0.5s", "author": {"followers": 50}, "factor": 4, "rise": "0.5s", "fall": "1s"}
    try:
        return scenario(
            seed=draw(st.integers(1, 10_000)),
            rate=f"{draw(st.sampled_from((4, 30, 90, 250)))}/s",
            duration="2s",
            timeout=draw(st.sampled_from(("0.3s", "1s", "5s"))),
            mix=draw(mixes()),
            faults=broken,
            viral=viral if draw(st.booleans()) else None,
            **system,
        )
    except ScenarioError as error:
        if any(not each.field.startswith("faults") for each in error.problems):
            raise
        assume(False)  # faults that do not fit this system, or each other
        raise


@settings(max_examples=200)
@given(scenarios())
def test_both_engines_walk_the_same_sample_path_whatever_is_drawn(asked: Scenario) -> None:
    try:
        check(asked, PROFILE)
    except FaultError:
        assume(False)  # a fault on a link that this traffic does not cross
    _same(simulate(asked, PROFILE, engine="simpy"), simulate(asked, PROFILE, engine="compiled"))
