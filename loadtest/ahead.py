"""Prepares the data that an operation needs before it can be measured alone.

A step of a journey needs the results of the steps before it: a photo that is deleted was uploaded and processed. A like
can only be removed, and a comment listed, if there is one. All of this is done before the clock starts; what remains is
one request for each act.
"""

from __future__ import annotations

import time
from collections import Counter
from http import HTTPStatus
from typing import Final

import gevent
from gevent.pool import Pool

from core import operations
from core.names import Outcome, PhotoState
from core.operations import ONLY_WITHIN_A_JOURNEY
from loadtest.acts import Acts, Answer, Request, Target
from loadtest.address import HttpAddress
from loadtest.plan import LoadPlanError
from loadtest.session import LoadSession
from loadtest.wire import Connections

#: The operation that comes first, by the same person on the same thing.
BEFORE: Final = {
    operations.LIKE_REMOVE: operations.LIKE_ADD,
    operations.GRAPH_UNFOLLOW: operations.GRAPH_FOLLOW,
    operations.COMMENT_LIST: operations.COMMENT_ADD,
}
_AT_ONCE: Final = 8
_PROCESSED_SECONDS_MAX: Final = 120.0  # from the last upload until all photos have been rendered
_LOOK_SECONDS: Final = 0.1
_ROOM_SECONDS_MAX: Final = 60.0  # for a request that is refused for want of room
_AGAIN_SECONDS: Final = 0.5


def requests_ahead(session: LoadSession, operation: str) -> dict[int, Request]:
    """The requests that remain to be sent, by number; empty when ``operation`` needs no preparation. Raises
    LoadPlanError when something could not be prepared."""
    if operation not in ONLY_WITHIN_A_JOURNEY and operation not in BEFORE:
        return {}
    share = session.share()
    made = _Made(session, session.acts(share, nonce=f"ahead{time.time_ns() // 1_000_000:x}"), operation)
    pool = Pool(_AT_ONCE)
    for number in share.numbers.tolist():
        pool.spawn(made.make, number)
    pool.join()
    made.wait()
    if len(made.left) < len(share):
        kinds = ", ".join(f"{count} × {why}" for why, count in made.trouble.most_common())
        raise LoadPlanError(
            f"{operation}: {len(share) - len(made.left)} of {len(share)} could not be prepared: {kinds}"
        )
    return made.left


class _Made:
    """What has been made so far."""

    def __init__(self, session: LoadSession, acts: Acts, operation: str) -> None:
        self._session, self._acts, self._operation = session, acts, operation
        self._connections: dict[HttpAddress, Connections] = {}
        self._photos: list[Request] = []  # each asks whether a photo is ready
        self.left: dict[int, Request] = {}
        self.trouble: Counter[str] = Counter()

    def make(self, number: int) -> None:
        """Send all requests of an act except the last."""
        before = BEFORE.get(self._operation)
        if before is not None:
            for request in self._acts.instead(number, before):
                if not self._asked(request):
                    return
        act = self._acts.of(number)
        request = next(act)
        while request.operation != self._operation:
            answer = self._asked(request)
            if answer is None:
                return
            try:
                request = act.send(answer)
            except StopIteration:
                self.trouble[f"{request.operation} was not the expected operation"] += 1
                return
        self.left[number] = request

    def wait(self) -> None:
        """Wait until every uploaded photo has been processed; raises LoadPlanError."""
        until = time.monotonic() + _PROCESSED_SECONDS_MAX
        for request in self._photos:
            while self._exchange(request).at("media", "state") not in (PhotoState.SUCCEEDED, PhotoState.FAILED):
                if time.monotonic() > until:
                    raise LoadPlanError(f"photos were not processed within {_PROCESSED_SECONDS_MAX:.0f} s")
                gevent.sleep(_LOOK_SECONDS)

    def _asked(self, request: Request) -> Answer | None:
        """The answer; None when the request failed, and then the reason is counted.

        A request that is refused for want of room is sent again, with the same key: uploads ahead are quicker than
        their processing, and what would wait for too long is refused.
        """
        until = time.monotonic() + _ROOM_SECONDS_MAX
        while (answer := self._exchange(request)).status == HTTPStatus.SERVICE_UNAVAILABLE:
            if time.monotonic() > until:
                break
            gevent.sleep(_AGAIN_SECONDS)
        if answer.outcome is not Outcome.OK:
            self.trouble[f"{request.operation} {answer.outcome} ({answer.status})"] += 1
            return None
        if request.operation == operations.MEDIA_COMPLETE:
            path = request.path.removesuffix("/complete")
            self._photos.append(
                Request(operation=operations.MEDIA_READ, method="GET", path=path, headers=request.headers)
            )
        return answer

    def _exchange(self, request: Request) -> Answer:
        ways = {Target.GATEWAY: self._session.gateway, Target.MEDIA: self._session.media}
        where = request.at or ways[request.target]
        connections = self._connections.get(where)
        if connections is None:
            connections = self._connections[where] = Connections(where, limit=_AT_ONCE)
        return connections.exchange(request, timeout_seconds=self._session.scenario.traffic.timeout_seconds)
