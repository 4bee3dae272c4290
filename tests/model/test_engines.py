"""Two engines: SimPy and compiled code follow the same sample path, request by request, whatever happens.

Times are compared to 1e-9 s; everything that is counted must be the same. Each case turns on what the name says, and a
test at the end holds the cases to the program: every kind of instruction and of fault is in one of them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest

from core.profile import Profile
from core.scenario import Scenario
from core.scenario.faults import KINDS
from sim.compiled import engine as compiled
from sim.model.prepared import prepare
from sim.model.program import Op
from sim.reference import engine as reference
from sim.simulate import Result, run_second_by_second, simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile

#: A second of traffic that overloads its one core.
_RUSH: Final = {"rate": "420/s", "duration": "2s", "timeout": "0.4s"}
_LATENCY: Final = {"at": "1s", "for": "2s", "link": "feed_redis", "latency": "300ms", "jitter": "100ms"}
#: Hosts on which a database and its replicas stand apart.
_SPREAD: Final = {
    "hosts": {
        "front": {"cores": 2, "runs": ["gateway", "feed", "api"]},
        "data": {"cores": 1, "count": 3, "runs": ["postgres"]},
    }
}


def _fault(**what: Any) -> dict[str, Any]:
    return {"at": "1.5s", "for": "1s", **what}


CASES: Final[dict[str, dict[str, Any]]] = {
    "nothing breaks": {},
    "no limit on cores": {"placement": {"cores": {"stack": [0, 1, 2, 3, 4, 5, 6, 7]}}, "rate": "150/s"},
    "steady arrivals": {},
    "a viral post": {"viral": {"at": "1s", "author": {"followers": 50}, "factor": 6, "rise": "1s", "fall": "2s"}},
    "overload, clients give up": {**_RUSH, "admission": False},
    "overload, admission and limits": {
        **_RUSH,
        "timeout": "5s",
        "gateway": {"limits": {"feed.read": "3/s per user"}},
    },
    "overload, admission by how long requests wait": {
        **_RUSH,
        "duration": "6s",
        "feed": {"instances": 2},
        "faults": [_fault(process="feed-1", action="pause", at="3s"), _fault(process="api", action="kill", at="4s")],
    },
    "a backlog of photos": {
        "mix": {"media.upload": "100%"},
        "rate": "20/s",
        "duration": "14s",
    },
    "latency": {"faults": [_LATENCY], "rate": "80/s"},
    "bandwidth": {"faults": [_fault(link="feed_redis", bandwidth="40KiB")]},
    "timeout of a link": {"faults": [_fault(link="feed_redis", timeout="50ms")]},
    "a link that stays silent": {"faults": [_fault(link="engagement_postgres", timeout="0s")], "timeout": "2s"},
    "reset": {
        "faults": [_fault(link="upload_objects", reset=True)],
        "mix": {"media.upload": "60%", "feed.read": "40%"},
    },
    "down": {"faults": [_fault(link="shield_objects", down=True)], "mix": {"image.read": "100%"}, "rate": "200/s"},
    "connections that carry few bytes": {
        "faults": [
            _fault(link="feed_redis", limit_data="60kB", at="1s", **{"for": "3s"}),
            _fault(link="feed_redis", latency="20ms", jitter="5ms"),
            _fault(link="upload_objects", limit_data="2kB"),
        ],
        "mix": {"feed.read": "70%", "media.upload": "30%"},
    },
    "closes that come late": {
        "faults": [
            _fault(link="feed_redis", limit_data="60kB", at="1s", **{"for": "3s"}),
            _fault(link="feed_redis", slow_close="300ms", at="1s", **{"for": "3s"}),
            _fault(link="gateway_engagement", slow_close="500ms", at="1s", **{"for": "3s"}),
            _fault(process="api", action="kill", at="2s"),
        ],
        "mix": {"feed.read": "40%", "like.add": "60%"},
        "rate": "150/s",
    },
    "two faults at once": {
        "faults": [
            _fault(link="feed_redis", latency="300ms", jitter="20ms", at="1s", **{"for": "4s"}),
            _fault(link="feed_redis", latency="100ms", jitter="10ms", at="1s", **{"for": "3s"}),
            _fault(link="feed_redis", bandwidth="200kB", at="1s", **{"for": "3s"}),
            _fault(link="feed_redis", down=True, at="3s", **{"for": "100ms"}),
        ],
        "duration": "6s",
    },
    "kill a service": {"faults": [_fault(process="feed", action="kill")]},
    "kill redis, breakers open": {"faults": [_fault(process="redis", action="kill")], "rate": "80/s"},
    "pause": {"faults": [_fault(process="api", action="pause")], "rate": "80/s"},
    "restart a consumer": {
        "faults": [_fault(process="workers", action="restart")],
        "mix": {"media.upload": "50%", "feed.read": "50%"},
        "rate": "20/s",
    },
    "kill a consumer": {
        "faults": [_fault(process="workers", action="kill")],
        "mix": {"media.upload": "50%", "feed.read": "50%"},
        "rate": "20/s",
        "duration": "14s",
    },
    "kill the log": {
        "faults": [_fault(process="kafka", action="kill")],
        "mix": {"media.upload": "40%", "like.add": "60%"},
    },
    "instances and hosts": {
        "placement": {
            "instances": {"api": 2, "workers": 3},
            "hosts": {
                "front": {"cores": 2, "runs": ["gateway", "feed", "api"]},
                "back": {"cores": 2, "count": 2, "runs": ["postgres", "redis", "kafka", "workers"]},
            },
        },
        "feed": {"instances": 3},
        "gateway": {"instances": 2},
        "faults": [_fault(process="feed-2", action="kill"), _fault(process="gateway-1", action="kill", at="2s")],
        "rate": "150/s",
    },
    "replicas and failover": {
        "shards": {
            "physical": 2,
            "replicas": 2,
            "replication": {"detection": "0.5s", "promotion": "0.5s", "own_writes": "0.3s"},
        },
        "placement": _SPREAD,
        "faults": [_fault(process="postgres_0", action="kill", **{"for": "2s"})],
        "mix": {"like.add": "50%", "post.read": "30%", "feed.read": "20%"},
        "rate": "120/s",
    },
    "synchronous replicas": {
        "shards": {"physical": 2, "replicas": 1, "replication": {"mode": "synchronous"}},
        "placement": _SPREAD,
        "mix": {"like.add": "60%", "comment.list": "40%"},
        "faults": [_fault(process="postgres_0_replica_1", action="kill")],
    },
    "redis nodes and a hot counter": {
        "redis": {"nodes": 4, "hot": "20/s"},
        "viral": {"at": "1s", "author": {"followers": 50}, "factor": 6, "rise": "1s", "fall": "2s"},
        "faults": [_fault(process="redis-2", action="kill")],
        "rate": "60/s",
    },
    "retries": {
        "retry": {"attempts": 4, "backoff": "30ms", "budget": "50%"},
        "faults": [_fault(link="upload_objects", down=True)],
        "mix": {"media.upload": "100%"},
        "rate": "15/s",
    },
    "small caches": {
        "cdn": {"edge": {"size": "256KiB"}, "shield": {"size": "512KiB"}, "ttl": "1s"},
        "redis": {"memory": "64KiB"},
        "rate": "80/s",
    },
    "photos and posts are taken down again": {
        "mix": {"post.withdraw": "40%", "media.withdraw": "30%", "story.withdraw": "30%"},
        "rate": "8/s",
        "faults": [_fault(link="media_edge", down=True)],
        "duration": "6s",
    },
    "regions and a day": {
        "regions": {
            "eu": {"people": "50%", "utc_offset": "1h"},
            "us": {"people": "30%", "utc_offset": "-5h", "rtt": {"eu": "90ms"}},
            "ap": {"people": "20%", "utc_offset": "9h"},
        },
        "mix": {"feed.read": "40%", "like.add": "30%", "media.upload": "15%", "image.read": "10%", "post.read": "5%"},
        "rate": "80/s",
    },
    "a region is lost": {
        "regions": {"eu": {"people": "60%"}, "us": {"people": "40%"}},
        "geo": {"health_check": "0.5s", "rtt": "60ms"},
        "shards": {"physical": 2, "replicas": 1},
        "placement": _SPREAD,
        "redis": {"nodes": 2, "hot": "10/s"},
        "feed": {"instances": 2},
        "mix": {"feed.read": "40%", "like.add": "40%", "media.upload": "20%"},
        "faults": [_fault(region="eu"), _LATENCY],
        "duration": "6s",
    },
    "a fleet of hosts": {
        "placement": {
            "instances": {"api": 60, "workers": 12},
            "hosts": {
                "front": {"cores": 1, "count": 4, "runs": ["gateway"]},
                "feeds": {"cores": 1, "count": 90, "runs": ["feed"]},
                "services": {"cores": 1, "count": 72, "runs": ["api", "workers"]},
                "caches": {"cores": 1, "count": 24, "runs": ["redis"]},
                "data": {"cores": 2, "count": 16, "runs": ["postgres"]},
                "log": {"cores": 2, "runs": ["kafka"]},
            },
        },
        "gateway": {"instances": 4},
        "feed": {"instances": 90},
        "redis": {"nodes": 24, "hot": "20/s"},
        "shards": {"physical": 8, "replicas": 1},
        "kafka": {"partitions": 40},
        "faults": [
            _LATENCY,
            _fault(process="feed-31", action="kill"),
            _fault(process="redis-7", action="pause"),
            _fault(process="api-3", action="kill", at="2s"),
        ],
        "rate": "100/s",
        "timeout": "1s",
    },
    "everything at once": {
        "rate": "120/s",
        "timeout": "1s",
        "shards": {"physical": 2, "replicas": 1},
        "placement": _SPREAD,
        "redis": {"nodes": 2, "hot": "10/s"},
        "feed": {"instances": 2},
        "kafka": {"partitions": 3},
        "fanout": {"threshold": 30},
        "mix": {
            "feed.read": "40%",
            "like.add": "20%",
            "image.read": "10%",
            "story.tray": "5%",
            "search.users": "5%",
            "media.upload": "5%",
            "graph.follow": "5%",
            "auth.login": "5%",
            "comment.add": "5%",
        },
        "viral": {"at": "1s", "author": {"followers": 50}, "factor": 4, "rise": "1s", "fall": "2s"},
        "faults": [
            _LATENCY,
            _fault(process="postgres_0", action="kill", at="2s"),
            _fault(process="kafka", action="pause", at="3s"),
        ],
    },
}


def _case(name: str, *, seed: int = 7) -> Scenario:
    told = CASES[name]
    return scenario(**{"rate": "60/s", "duration": "4s", "seed": seed, **told})


def _pair(asked: Scenario, told: Profile) -> tuple[Result, Result]:
    return simulate(asked, told, engine="simpy"), simulate(asked, told, engine="compiled")


def _same(reference: Result, compiled: Result) -> None:
    for column in ("request", "step", "operation", "outcome", "status"):
        np.testing.assert_array_equal(getattr(compiled.samples, column), getattr(reference.samples, column))
    np.testing.assert_allclose(compiled.samples.at_seconds, reference.samples.at_seconds, rtol=0, atol=1e-9)
    np.testing.assert_allclose(compiled.samples.latency_seconds, reference.samples.latency_seconds, rtol=0, atol=1e-9)
    assert [row[:2] for row in compiled.usage] == [row[:2] for row in reference.usage]
    np.testing.assert_allclose([row[2] for row in compiled.usage], [row[2] for row in reference.usage], atol=1e-9)
    assert [row[:4] for row in compiled.stages] == [row[:4] for row in reference.stages]
    np.testing.assert_allclose([row[4] for row in compiled.stages], [row[4] for row in reference.stages], atol=1e-6)
    assert compiled.caches == reference.caches
    assert [(event.event, event.values) for event in compiled.journal] == [
        (event.event, event.values) for event in reference.journal
    ]
    assert compiled.ledger == reference.ledger
    assert [(job.job, job.count, job.classes) for job in compiled.jobs] == [
        (job.job, job.count, job.classes) for job in reference.jobs
    ]
    assert _rounded(compiled.facts) == _rounded(reference.facts)


def _rounded(value: Any) -> Any:
    """Facts are sums of the same numbers in another order."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value


@pytest.mark.parametrize("name", CASES)
def test_both_engines_walk_the_same_sample_path(name: str) -> None:
    reference, compiled = _pair(_case(name), profile())
    assert (reference.engine, compiled.engine) == ("simpy", "compiled")
    _same(reference, compiled)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_under_other_seeds(seed: int) -> None:
    _same(*_pair(_case("everything at once", seed=seed), profile()))


@pytest.mark.parametrize("name", ["two faults at once", "a fleet of hosts"])
def test_the_same_without_any_randomness_where_many_things_happen_at_one_time(name: str) -> None:
    asked = _case(name)
    _same(*_pair(asked, profile(variation=0.0, stalls=QUIET, idle=False)))


def test_engines_that_draw_other_numbers_are_told_apart() -> None:
    one, other = simulate(_case("nothing breaks"), profile()), simulate(_case("nothing breaks", seed=8), profile())
    with pytest.raises(AssertionError):
        _same(one, other)


def test_the_cases_cover_every_kind_of_instruction_and_of_fault() -> None:
    scenarios = [_case(name) for name in CASES]
    kinds = {type(fault) for each in scenarios for fault in each.faults}
    assert kinds == set(KINDS)
    ops = {step.op for each in scenarios for step in prepare(each, profile()).program.instructions}
    assert ops == set(Op)


@pytest.mark.parametrize("engine", [reference.SimpyEngine, compiled.CompiledEngine])
def test_engines_change_nothing_of_the_run_that_they_start_from(engine: Any) -> None:
    prepared = prepare(_case("everything at once"), profile())
    latencies = []
    for _ in range(2):
        runner = engine(prepared)
        run_second_by_second(prepared, runner)
        latencies.append(runner.observed().samples.latency_seconds)
    assert len(latencies[0]) > 100
    np.testing.assert_array_equal(*latencies)
