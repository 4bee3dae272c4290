"""Gateway: every request to a service passes it; it limits rates and sends each request to the least busy instance.

A service admits a limited number of requests at once. A dead instance is passed over if there is another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from core.bounds import REQUESTS_UNDER_WAY_MAX
from core.names import Component, Server, link
from core.operations import OPERATIONS
from sim.model.cpu import REQUEST_SHARE
from sim.model.flow import (
    NOTHING,
    Admit,
    Deadline,
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


def through_gateway(operation: str, inner: Flow, *, behind: Flow = NOTHING, answer_bytes: int = 1_000) -> OperationFlow:
    """The flow of ``operation``: through the gateway to its component, which does ``inner``.

    The gateway refuses a request that finds no room before it verifies the token, while that is cheap. One that finds
    room is counted and given an instance when it is sent on, as the gateway does. The model's gateway may take other
    requests between the two, so that a few more than the limit are under way; to refuse them only then would be dear.

    A service does nothing more for a request whose client has given up.
    """
    component, urgent = OPERATIONS[operation].component, OPERATIONS[operation].writes
    assert isinstance(component, Component)  # operations of servers do not pass the gateway
    looks = Admit(component=component, size=REQUESTS_UNDER_WAY_MAX, urgent=urgent, inner=NOTHING)
    refuse = steps(_own(Use(process=Server.GATEWAY, refusal=True, where=Where.GATEWAY)), Fail(ending=Ending.OVERLOADED))
    arrive = _own(Use(process=Server.GATEWAY, share=REQUEST_SHARE, where=Where.GATEWAY))
    served = replace(looks, urgent=True, inner=Deadline(seconds=None, inner=inner, cancels=True))
    ask = RemoteCall(link=link(Server.GATEWAY, component), inner=served, answer_bytes=answer_bytes)
    answer = _own(Use(process=Server.GATEWAY, share=1.0 - REQUEST_SHARE, where=Where.GATEWAY))
    return OperationFlow(
        admission=Rescue(inner=looks, otherwise=RemoteCall(link=CLIENT_GATEWAY, inner=refuse)),
        front=RemoteCall(link=CLIENT_GATEWAY, inner=steps(arrive, Limit(), ask, answer), answer_bytes=answer_bytes),
        behind=behind,
    )


def _own(work: Use) -> Flow:
    """Work of the gateway; when a gateway dies, its clients' connections are lost."""
    return Rescue(inner=work, otherwise=Fail(ending=Ending.LOST))
