"""CDN: edge, then shield, then object store. Each tier keeps what it fetches; requests for one photo share a fetch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Cache, Server, link
from core.operations import IMAGE_READ
from core.scenario import Scenario
from sim.model.flow import (
    NOTHING,
    Ending,
    Fail,
    Flow,
    Keys,
    Lookup,
    OperationFlow,
    RemoteCall,
    Rescue,
    Use,
    stage,
    steps,
)
from sim.model.stores import PHOTO_BYTES

_EDGE: Final = Server.EDGE


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Reading one image, without our services."""
    origin = RemoteCall(
        link=link(Server.SHIELD, Server.OBJECTS), inner=Use(process=Server.OBJECTS), answer_bytes=PHOTO_BYTES
    )
    shield = steps(Use(process=Server.SHIELD), _tier(Cache.SHIELD, origin))
    missed = RemoteCall(link=link(_EDGE, Server.SHIELD), inner=shield, answer_bytes=PHOTO_BYTES)
    reached = Rescue(inner=Use(process=_EDGE), otherwise=Fail(ending=Ending.LOST))
    lookup = stage("lookup", _tier(Cache.EDGE, missed))
    front = RemoteCall(link=link("client", _EDGE), inner=steps(reached, lookup), answer_bytes=PHOTO_BYTES)
    return {IMAGE_READ: OperationFlow(front=front)}


def _tier(cache: Cache, miss: Flow) -> Flow:
    return Lookup(cache=cache, keys=Keys.PHOTO, hit=NOTHING, miss=miss, coalesce=True)
