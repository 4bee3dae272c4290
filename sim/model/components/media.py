"""Media worker: fetches an upload, scans it, renders its variants in a thread, stores them; removes deleted photos.

No client waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component, Server, link
from core.operations import MEDIA_PROCESS, MEDIA_REMOVE
from core.scenario import Scenario
from sim.model.flow import NOTHING, Flow, Hold, OperationFlow, RemoteCall, Retry, Use, steps, used_by
from sim.model.stores import PHOTO_BYTES, consumed, objects, postgres, published

MEDIA: Final = Component.MEDIA
_own: Final = used_by(MEDIA)
#: Variants of one photo that are stored.
_VARIANTS: Final = 5


def flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """The jobs behind an upload and behind a deletion. As many photos are processed at once as the scenario has
    workers, but at most one per partition of the log; rendering leaves the event loop free."""
    scan = RemoteCall(link=link(MEDIA, Server.CLAMD), inner=Use(process=Server.CLAMD))
    work = steps(
        _own(0.02),
        objects(MEDIA, share=0.2),
        scan,
        Use(process=MEDIA, share=0.92, threaded=True),
        objects(MEDIA, share=0.8, trips=float(_VARIANTS), sent_bytes=_VARIANTS * PHOTO_BYTES),
        postgres(MEDIA, trips=5.0, commits=True),
        _own(0.06),
    )
    held = Hold(pool="media_workers", size=scenario.system.media.workers, inner=work)
    return {
        MEDIA_PROCESS: OperationFlow(front=consumed(MEDIA, held), behind=published(MEDIA, own=NOTHING)),
        MEDIA_REMOVE: OperationFlow(front=_removal()),
    }


def _removal() -> Flow:
    """Remove a photo from the store and then from both tiers, until it succeeds. The log takes no part in it. The
    model's caches keep the photo, because few people read what is deleted. Later passes, which find nothing, are left
    out."""
    shield = RemoteCall(link=link(MEDIA, Server.SHIELD), inner=Use(process=Server.SHIELD), trips=_VARIANTS)
    edge = RemoteCall(link=link(MEDIA, Server.EDGE), inner=Use(process=Server.EDGE), trips=_VARIANTS)
    work = steps(
        _own(0.4),
        postgres(MEDIA, share=0.7, trips=7.0, commits=True),
        objects(MEDIA, trips=2.0),
        shield,
        edge,
        _own(0.6),
        postgres(MEDIA, share=0.3, commits=True),
    )
    return Retry(inner=work, endless=True)
