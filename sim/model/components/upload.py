"""Upload: announce a photo, put it directly to the object store, complete it; then the media worker gets an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.bounds import JPEG_BYTES_PER_PIXEL
from core.names import Component, Server, link
from core.operations import (
    MEDIA_COMPLETE,
    MEDIA_CREATE,
    MEDIA_DELETE,
    MEDIA_PROCESS,
    MEDIA_READ,
    MEDIA_REMOVE,
    OBJECT_PUT,
)
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import (
    READS,
    BacklogLimit,
    Emit,
    Ending,
    Fail,
    Flow,
    OperationFlow,
    RemoteCall,
    Rescue,
    Retry,
    Use,
    Wait,
    stage,
    steps,
    used_by,
)
from sim.model.stores import objects, postgres, published

UPLOAD: Final = Component.UPLOAD
_own: Final = used_by(UPLOAD)
#: Share of the front's CPU for a PUT that goes into the request and the photo's bytes; the rest goes into the answer.
_BODY_SHARE: Final = 0.9


def flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Upload's operations and the client's own PUT to the object store."""
    create = steps(
        _own(0.20),
        stage("parse", _own(0.05)),
        BacklogLimit(job=MEDIA_PROCESS),
        stage("present", _own(0.30)),  # signing the URL is most of it
        stage("write", _own(0.17), postgres(UPLOAD, trips=5.0, commits=True), _own(0.17)),
        _own(0.08),
    )
    complete = steps(
        _own(0.10),
        stage("load", _own(0.09), postgres(UPLOAD, share=0.15)),
        stage("verify", _own(0.02), _head(), _own(0.01)),
        stage("write", _own(0.08), postgres(UPLOAD, share=0.40, trips=4.0, commits=True), _own(0.08)),
        stage("present", _own(0.01)),
        _own(0.05),
    )
    delete = steps(
        _own(0.15),
        stage("load", _own(0.17), postgres(UPLOAD, share=0.2)),
        stage("write", _own(0.25), postgres(UPLOAD, share=0.8, trips=7.0, commits=True), _own(0.25)),
        stage("present", _own(0.01)),
        _own(0.17),
    )
    read = steps(
        _own(0.3),
        stage("load", _own(0.2), postgres(UPLOAD, trips=2.0, role=READS), _own(0.2)),
        stage("present", _own(0.07)),
        _own(0.16),
    )
    store = steps(Use(process=Server.OBJECTS), Wait(station="objects.put"))
    put = steps(
        _front(_BODY_SHARE),
        stage("store", Rescue(inner=store, otherwise=Fail(ending=Ending.UNAVAILABLE))),
        _front(1.0 - _BODY_SHARE),
    )
    relayed = steps(postgres(UPLOAD, share=0.20), _own(0.28))
    cleared = steps(postgres(UPLOAD, share=0.25), _own(0.28))
    photo = scenario.population.photo
    original_bytes = round(photo.width * photo.height * JPEG_BYTES_PER_PIXEL)
    return {
        MEDIA_CREATE: through_gateway(MEDIA_CREATE, create, behind=_own(0.03)),
        MEDIA_COMPLETE: through_gateway(
            MEDIA_COMPLETE, complete, behind=published(UPLOAD, own=relayed, cleared=cleared, job=MEDIA_PROCESS)
        ),
        MEDIA_READ: through_gateway(MEDIA_READ, read, behind=_own(0.07)),
        MEDIA_DELETE: through_gateway(MEDIA_DELETE, delete, behind=Emit(job=MEDIA_REMOVE)),
        OBJECT_PUT: OperationFlow(
            front=RemoteCall(link=link("client", Server.OBJECTS), inner=put, sent_bytes=original_bytes)
        ),
    }


def _front(share: float) -> Flow:
    """Work of the object store's front; when it dies, its clients' connections are lost."""
    return Rescue(inner=Use(process=Server.FRONT, share=share), otherwise=Fail(ending=Ending.LOST))


def _head() -> Flow:
    """HEAD of the object; the client library retries."""
    return Rescue(inner=Retry(inner=objects(UPLOAD)), otherwise=Fail(ending=Ending.UNAVAILABLE))
