"""PostgreSQL in a scenario: logical shards over physical instances, and the replicas that follow each of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from core.scenario.fields import CONFIG, Count
from core.scenario.units import Ratio, Seconds


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Replication:
    """Replication: how replicas follow their primary, who reads from them, and how a dead primary is replaced.

    A commit is acknowledged when the primary has it, or, ``synchronous``, when a replica has applied it as well. A
    primary that stays dead for detection and promotion is replaced by a replica, and commits that no replica had are
    lost.
    """

    mode: Literal["asynchronous", "synchronous"] = "asynchronous"
    lag_seconds: Seconds = 0.005  # median time from a commit until a replica has applied it
    lag_p99_seconds: Seconds = 0.05
    replay_ratio: Annotated[Ratio, Field(ge=0, le=1)] = 0.3  # CPU of replaying a commit, relative to that of making it
    reads: Literal["replicas", "primary"] = "replicas"
    own_writes_seconds: Seconds = 1.0  # time for which a client that has written reads from the primary
    detection_seconds: Seconds = 3.0  # until the death of a primary is noticed
    promotion_seconds: Seconds = 2.0  # until a replica has replaced it


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ShardSettings:
    """PostgreSQL: logical shards over physical instances, each with ``replicas`` on other hosts."""

    logical: Annotated[int, Field(ge=1, le=4096)] = 16
    physical: Count = 2
    replicas: Annotated[int, Field(ge=0, le=5)] = 0
    replication: Replication = Replication()
    connections: Annotated[int, Field(ge=1, le=100)] = 6  # of each component's process to each instance, at most
