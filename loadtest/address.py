"""Addresses that load may be sent to: loopback only, so that no wrong argument sends load to another machine.

Only numeric loopback addresses and ``localhost`` are accepted; a name would be resolved again for every connection, to
any address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

#: Connections from one source address before the next one is used: a server limits connections by address
#: (`core.names.ADDRESS_CONNECTIONS_MAX`), and the load stands for people with an address each.
CONNECTIONS_EACH: Final = 256
_CROWD: Final = 0x7F_01_00_00  # 127.1.0.0: addresses that the load's connections share
_PEOPLE: Final = 0x7F_40_00_00  # 127.64.0.0 and up: a person's own
_PEOPLE_MAX: Final = 1 << 22


class AddressError(ValueError):
    """An address that is not on this machine, or not plain HTTP; the message says which and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddress:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse(url: str) -> HttpAddress:
    """The address in ``url``; raises AddressError unless it is plain HTTP on this machine's loopback."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"{url}: {error}; expected a URL such as http://127.0.0.1:8080") from error
    if parts.scheme != "http" or not parts.hostname:
        raise AddressError(f"{url}: expected a URL such as http://127.0.0.1:8080")
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise AddressError(f"{url}: load is sent to this machine only; expected a loopback address such as 127.0.0.1")
    return HttpAddress(host=host, port=port or 80)


def target(url: str) -> tuple[HttpAddress, str]:
    """The address, and the path with its query; raises AddressError as `parse` does."""
    parts = urlsplit(url)
    path = parts.path or "/"
    return parse(url), f"{path}?{parts.query}" if parts.query else path


def of_connection(number: int, worker: int = 0) -> str:
    """Source address of a process's connection ``number`` (from 0); a loopback address."""
    return str(ipaddress.IPv4Address(_CROWD + (worker % 256 << 8) + 1 + number // CONNECTIONS_EACH))


def of_person(person: int) -> str:
    """The source address of one person, for operations that are limited by address; one of four million."""
    return str(ipaddress.IPv4Address(_PEOPLE + person % _PEOPLE_MAX))
