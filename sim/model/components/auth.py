"""Auth: sign-up and login; the password hash runs in a thread of a small pool, so that the event loop goes on.

Not modelled: people of the model know their passwords, so no login fails and none is limited; the queue of hashes has
no bound, and their threads have the priority of everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.operations import AUTH_LOGIN, AUTH_SIGNUP
from core.policies.logins import COUNT_SECONDS, workers
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Deadline, Flow, Hold, OperationFlow, Stage, Use, WithBreaker, steps
from sim.model.stores import postgres, published, redis

AUTH: Final = Component.AUTH


def flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Auth's operations. Argon2id is nearly all of their CPU (19 MiB, t = 2: 19 ms of some 20)."""
    hashing = _hash(workers(len(scenario.system.placement.cores.stack)))
    signup = steps(
        Stage(name="parse", inner=_own(0.01)),
        hashing,
        Stage(name="write", inner=steps(_own(0.02), postgres(AUTH, trips=5.0, commits=True), _counted())),
        Stage(name="present", inner=_own(0.02)),
    )
    login = steps(
        Stage(name="parse", inner=_own(0.01)),
        Stage(name="load", inner=steps(_counted(share=0.5), postgres(AUTH, role=READS))),
        hashing,
        Stage(name="present", inner=steps(_counted(share=0.5, trips=2.0), _own(0.04))),
    )
    return {
        AUTH_SIGNUP: through_gateway(AUTH_SIGNUP, signup, behind=published(AUTH, own=NOTHING)),
        AUTH_LOGIN: through_gateway(AUTH_LOGIN, login, behind=NOTHING),
    }


def _own(share: float) -> Flow:
    return Use(process=AUTH, share=share)


def _hash(threads: int) -> Flow:
    held = Hold(pool="auth_hashes", size=threads, inner=Use(process=AUTH, share=0.95, threaded=True))
    return Stage(name="hash", inner=held)


def _counted(*, share: float = 1.0, trips: float = 1.0) -> Flow:
    inner = Deadline(seconds=COUNT_SECONDS, inner=redis(AUTH, share=share, trips=trips))
    return WithBreaker(dependency="auth.logins", inner=inner, otherwise=NOTHING)
