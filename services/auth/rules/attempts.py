"""Limits on guessing passwords: by account and address, and by address, with increasing waits.

Failures are counted three times. For an address from which the account has signed in before, only the failures of this
account from this address matter. For any other address there are two more counts: the address's failures with all
accounts, and the account's failures from all such addresses. The latter reduces the allowance of a new address but
never to zero, so that guessing from many addresses locks nobody out of their account.

A login is counted as failed when it begins and forgiven when it succeeds, so that concurrent guesses count like
sequential ones. A refused login is not counted: trying again does not extend the wait.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import Final

KEPT_SECONDS: Final = 3_600  # failures are forgotten this long after the last of them
KNOWN_SECONDS: Final = 30 * 86_400  # an address is known for this long after its last login
KNOWN_MAX: Final = 16  # addresses of one account; the one with the oldest login is dropped
WATCHED_FAILURES: Final = 50  # of one account from new addresses, which then get the strict allowance
_IPV6_PREFIX: Final = 64  # the network of one customer: all its addresses count as one


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """``free`` failures without a wait, and then waits of 1, 2, 4 … seconds up to ``wait_seconds_max``."""

    free: int
    wait_seconds_max: int

    def wait_seconds(self, failures: int) -> int:
        """Seconds after the last of ``failures`` during which the next login is refused."""
        if failures < self.free:
            return 0
        return min(self.wait_seconds_max, 1 << min(failures - self.free, self.wait_seconds_max.bit_length()))

    def table(self) -> tuple[int, ...]:
        """Waits after 0, 1, 2 … failures; after more, the last."""
        return tuple(self.wait_seconds(count) for count in range(self.free + self.wait_seconds_max.bit_length() + 1))


#: One account from a known address: somebody who guesses from there locks the owner out for a minute at most.
KNOWN_PAIR: Final = Allowance(free=5, wait_seconds_max=60)
PAIR: Final = Allowance(free=5, wait_seconds_max=900)  # one account from one address
STRICT_PAIR: Final = Allowance(free=2, wait_seconds_max=3_600)  # the same, for an account that is being attacked
ADDRESS: Final = Allowance(free=50, wait_seconds_max=60)  # one address, which many people may share


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A requested login; ``account`` need not exist. Both fields are digests, so their length is fixed."""

    account: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLogins:
    """How many logins failed, and when the last of them began."""

    count: int = 0
    at_ms: int = 0


def attempt(*, username: str, address: str) -> Attempt:
    """The attempt on an account from a client's address."""
    return Attempt(account=_digest(username), address=_digest(network(address)))


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def wait_ms(*, known: bool, pair: FailedLogins, address: FailedLogins, account: FailedLogins, now_ms: int) -> int:
    """Milliseconds until the next login may be tried; 0 for now."""
    if known:
        return _left_ms(KNOWN_PAIR, pair, now_ms)
    allowance = STRICT_PAIR if account.count >= WATCHED_FAILURES else PAIR
    return max(_left_ms(allowance, pair, now_ms), _left_ms(ADDRESS, address, now_ms))


def _left_ms(allowance: Allowance, failures: FailedLogins, now_ms: int) -> int:
    return max(0, failures.at_ms + 1000 * allowance.wait_seconds(failures.count) - now_ms) if failures.count else 0
