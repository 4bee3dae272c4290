"""Auth: sign-up and login. The password is hashed in a thread of a small pool, so that the event loop stays free.

Not modelled: wrong passwords (so no login fails or is limited), the bound on the queue of hashes, and the low priority
of their threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.operations import AUTH_LOGIN, AUTH_SIGNUP
from core.policies.logins import COUNT_SECONDS, workers
from core.scenario import Scenario
from sim.model.components.gateway import through_gateway
from sim.model.flow import NOTHING, READS, Deadline, Flow, Hold, OperationFlow, Use, WithBreaker, stage, steps, used_by
from sim.model.stores import postgres, published, redis

AUTH: Final = Component.AUTH
_own: Final = used_by(AUTH)


def flows(scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Auth's operations. Argon2id is nearly all of their CPU (19 MiB, t = 2: 19 of about 20 ms)."""
    hashing = _hash(workers(len(scenario.system.placement.cores.stack)))
    signup = steps(
        stage("parse", _own(0.01)),
        hashing,
        stage("write", _own(0.02), postgres(AUTH, trips=5.0, commits=True), _counted()),
        stage("present", _own(0.02)),
    )
    login = steps(
        stage("parse", _own(0.01)),
        stage("load", _counted(share=0.5), postgres(AUTH, role=READS)),
        hashing,
        stage("present", _counted(share=0.5, trips=2.0), _own(0.04)),
    )
    return {
        AUTH_SIGNUP: through_gateway(AUTH_SIGNUP, signup, behind=published(AUTH, own=NOTHING)),
        AUTH_LOGIN: through_gateway(AUTH_LOGIN, login),
    }


def _hash(threads: int) -> Flow:
    held = Hold(pool="auth_hashes", size=threads, inner=Use(process=AUTH, share=0.95, threaded=True))
    return stage("hash", held)


def _counted(*, share: float = 1.0, trips: float = 1.0) -> Flow:
    inner = Deadline(seconds=COUNT_SECONDS, inner=redis(AUTH, share=share, trips=trips))
    return WithBreaker(dependency="auth.logins", inner=inner, otherwise=NOTHING)
