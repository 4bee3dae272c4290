"""Auth: sign-up and login; the password hash runs in a thread, so that the event loop goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.names import Component
from core.scenario import Scenario
from sim.components.gateway import through_gateway
from sim.flow import NOTHING, READS, Flow, OperationFlow, Stage, Use, steps
from sim.stores import postgres, told

AUTH: Final = Component.AUTH


def flows(_scenario: Scenario) -> Mapping[str, OperationFlow]:
    """Auth's operations. Argon2id is nearly all of their CPU (19 MiB, t = 2: 19 ms of some 20)."""
    signup = steps(
        Stage(name="parse", inner=_own(0.01)),
        _hash(),
        Stage(name="write", inner=steps(_own(0.02), postgres(AUTH, trips=5.0, commits=True))),
        Stage(name="present", inner=_own(0.02)),
    )
    login = steps(
        Stage(name="parse", inner=_own(0.01)),
        Stage(name="load", inner=postgres(AUTH, role=READS)),
        _hash(),
        Stage(name="present", inner=_own(0.04)),
    )
    return {
        "auth.signup": through_gateway("auth.signup", signup, behind=told(AUTH, own=NOTHING)),
        "auth.login": through_gateway("auth.login", login, behind=NOTHING),
    }


def _own(share: float) -> Flow:
    return Use(process=AUTH, share=share)


def _hash() -> Flow:
    return Stage(name="hash", inner=Use(process=AUTH, share=0.95, threaded=True))
