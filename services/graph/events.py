"""Makes both directions of an edge agree again when a write stopped between the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from core.messages import FollowCreated, FollowDeleted
from services.graph.store import Graph
from services.kit.bus import consume_batches

GROUP: Final = "graph"


def use(app: web.Application, graph: Graph) -> None:
    """Repair edges by the events on the log while the application runs."""

    async def mend(changed: Sequence[FollowCreated | FollowDeleted]) -> None:
        await graph.mend({(event.follower_id, event.followee_id) for event in changed})

    consume_batches(app, GROUP, {FollowCreated: mend, FollowDeleted: mend})
