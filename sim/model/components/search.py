"""Search: answers come from an index in the process; it uses no store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.operations import SEARCH_HASHTAGS, SEARCH_USERS
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import OperationFlow, Use, stage, steps

SEARCH: Final = Component.SEARCH


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Search's operations."""
    inner = steps(
        Use(process=SEARCH, share=0.2),
        stage("query", Use(process=SEARCH, share=0.5)),
        stage("present", Use(process=SEARCH, share=0.3)),
    )
    return {name: through_gateway(name, inner) for name in (SEARCH_USERS, SEARCH_HASHTAGS)}
