"""Search: answers come from an index in the process; it uses no store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.bounds import SEARCHES_AT_ONCE
from core.names import Component
from core.operations import SEARCH_HASHTAGS, SEARCH_USERS
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import Hold, OperationFlow, Use, stage, steps, used_by

SEARCH: Final = Component.SEARCH
_own: Final = used_by(SEARCH)


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Search's operations; for the shares see docs/MODEL.md. The index is read in threads beside the event loop."""
    index = Hold(pool="search_threads", size=SEARCHES_AT_ONCE, inner=Use(process=SEARCH, share=0.25, threaded=True))
    query = stage("query", _own(0.05), index, _own(0.05))
    inner = steps(_own(0.25), query, stage("present", _own(0.10)), _own(0.22))
    return {name: through_gateway(name, inner, behind=_own(0.08)) for name in (SEARCH_USERS, SEARCH_HASHTAGS)}
