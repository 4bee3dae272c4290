"""Gateway: every request to a service passes it; it limits rates and sends each request to the least busy instance.

A service admits a limited number of requests at once. A dead instance is passed over if there is another.
"""

from __future__ import annotations

from typing import Final

from core.bounds import REQUESTS_UNDER_WAY_MAX
from core.names import Component, Server, link
from core.operations import OPERATIONS
from sim.model.flow import (
    NOTHING,
    Admit,
    Ending,
    Fail,
    Flow,
    Limit,
    OperationFlow,
    RemoteCall,
    Rescue,
    Use,
    Where,
    steps,
)

#: The link from a client to the gateway: no fault can act on it; a profile may have its wire time.
CLIENT_GATEWAY: Final = link("client", Server.GATEWAY)
#: Share of HAProxy's CPU that goes into a request: parsing, verifying the token, choosing a server; the rest goes into
#: the answer.
_REQUEST_SHARE: Final = 0.6


def through_gateway(operation: str, inner: Flow, *, behind: Flow = NOTHING, answer_bytes: int = 1_000) -> OperationFlow:
    """The flow of ``operation``: through the gateway to its component, which does ``inner``."""
    component, urgent = OPERATIONS[operation].component, OPERATIONS[operation].writes
    assert isinstance(component, Component)  # operations of servers do not pass the gateway
    arrive = _own(_REQUEST_SHARE)
    ask = RemoteCall(
        link=link(Server.GATEWAY, component),
        inner=Admit(component=component, size=REQUESTS_UNDER_WAY_MAX, urgent=urgent, inner=inner),
        answer_bytes=answer_bytes,
    )
    answer = _own(1.0 - _REQUEST_SHARE)
    front = RemoteCall(link=CLIENT_GATEWAY, inner=steps(arrive, Limit(), ask, answer), answer_bytes=answer_bytes)
    return OperationFlow(front=front, behind=behind)


def _own(share: float) -> Flow:
    """Work of the gateway; when a gateway dies, its clients' connections are lost."""
    work = Use(process=Server.GATEWAY, share=share, where=Where.GATEWAY)
    return Rescue(inner=work, otherwise=Fail(ending=Ending.LOST))
