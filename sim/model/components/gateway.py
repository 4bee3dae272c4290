"""Gateway: every request to a service crosses it; it limits rates and gives each to the instance that is least busy.

A service admits only so many requests at once. One that is dead is passed over where there is another.
"""

from __future__ import annotations

from typing import Final

from core.bounds import REQUESTS_UNDER_WAY_MAX
from core.names import Component, Server, link
from core.operations import OPERATIONS
from sim.model.flow import Admit, Ending, Fail, Flow, Limit, OperationFlow, RemoteCall, Rescue, Use, Where, steps

#: The way from a client to the gateway: no scenario can break it; a profile may give its wire time.
CLIENT_GATEWAY: Final = link("client", Server.GATEWAY)
#: Of what HAProxy spends on a request: parsing it, verifying the token, choosing a server; the rest is the answer.
_REQUEST_SHARE: Final = 0.6


def through_gateway(operation: str, inner: Flow, *, behind: Flow, answer_bytes: int = 1_000) -> OperationFlow:
    """The flow of ``operation``: to the gateway and on to its component, which does ``inner``."""
    component = OPERATIONS[operation].component
    assert isinstance(component, Component)  # operations of servers go past the gateway
    arrive = _own(_REQUEST_SHARE)
    ask = RemoteCall(
        link=link(Server.GATEWAY, component),
        inner=Admit(component=component, size=REQUESTS_UNDER_WAY_MAX, inner=inner),
        answer_bytes=answer_bytes,
    )
    answer = _own(1.0 - _REQUEST_SHARE)
    front = RemoteCall(link=CLIENT_GATEWAY, inner=steps(arrive, Limit(), ask, answer), answer_bytes=answer_bytes)
    return OperationFlow(front=front, behind=behind)


def _own(share: float) -> Flow:
    """A gateway that dies takes its clients' connections with it."""
    work = Use(process=Server.GATEWAY, share=share, where=Where.GATEWAY)
    return Rescue(inner=work, otherwise=Fail(ending=Ending.LOST))
