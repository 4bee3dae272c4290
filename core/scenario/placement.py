"""Placement: which components share a process, how many instances there are, which processes share a host."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from core.names import Component
from core.scenario.fields import CONFIG, Count, Instances


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Cores:
    """Which processor cores the stack and the load generator are pinned to."""

    stack: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    load: tuple[Annotated[int, Field(ge=0)], ...] = (1,)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Host:
    """Machines of one kind: ``count`` of them, each with ``cores``, and what runs on them.

    ``runs`` names processes (``api-1``, ``postgres_0``) or groups of them: entries of `Placement.processes` and
    servers. Instances of a group go in turn to all machines that list it.
    """

    cores: Count
    runs: tuple[str, ...] = ()
    count: Instances = 1


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Placement:
    """Which components share a process, which processes share cores."""

    cores: Cores = Cores()
    processes: dict[str, tuple[Component, ...]] = field(
        default_factory=lambda: {
            "feed": (Component.FEED,),
            "api": (
                Component.AUTH,
                Component.GRAPH,
                Component.UPLOAD,
                Component.POSTS,
                Component.ENGAGEMENT,
                Component.STORIES,
                Component.SEARCH,
            ),
            "workers": (Component.MEDIA, Component.FANOUT, Component.DISCOVERY, Component.ADS),
        }
    )
    instances: dict[str, Instances] = field(default_factory=dict)  # of entries of `processes`; one by default
    #: Machines by name; a process that none of them lists runs on the first. Without any, all processes share one
    #: machine with ``cores.stack``.
    hosts: dict[str, Host] = field(default_factory=dict)
