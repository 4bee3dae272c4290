"""Load is sent to this machine only."""

from __future__ import annotations

from collections import Counter

import pytest

from core.names import ADDRESS_CONNECTIONS_MAX
from loadtest import address, plan


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080),
        ("http://127.1.2.3/x", "127.1.2.3", 80),
        ("http://localhost:81", "127.0.0.1", 81),
        ("http://[::1]:82/", "::1", 82),
    ],
)
def test_loopback_addresses_pass(url: str, host: str, port: int) -> None:
    assert address.parse(url) == address.HttpAddress(host=host, port=port)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:8080",
        "http://10.0.0.1",
        "http://0.0.0.0:80",
        "http://example.org",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "https://127.0.0.1",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "http://127.0.0.1:port",
        "http://",
        "",
    ],
)
def test_any_other_address_is_refused_with_what_is_expected(url: str) -> None:
    with pytest.raises(address.AddressError, match=r"expected a (URL|loopback address) such as"):
        address.parse(url)


def test_a_target_keeps_its_path_and_query_as_they_were_signed() -> None:
    where, path = address.target("http://127.0.0.1:9/uploads/1?X-Signature=a%2Fb&n=1")
    assert (where.port, path) == (9, "/uploads/1?X-Signature=a%2Fb&n=1")


def test_the_load_has_no_more_connections_from_one_address_than_the_gateway_allows() -> None:
    most = plan.INFLIGHT_MAX + 1
    for worker in (0, 1, 255):
        sources = Counter(address.of_connection(number, worker) for number in range(most))
        assert max(sources.values()) <= address.CONNECTIONS_EACH < ADDRESS_CONNECTIONS_MAX
        assert len({address.of_connection(0, other) for other in range(worker + 1)}) == worker + 1


def test_everybody_has_an_address_of_their_own_that_nobody_shares_with_the_crowd() -> None:
    people = {address.of_person(person) for person in range(10_000)}
    assert len(people) == 10_000
    assert not people & {address.of_connection(number, worker) for number in range(4_096) for worker in range(256)}
    for one in (min(people), max(people), address.of_connection(4_096, 255)):
        assert address.parse(f"http://{one}:1").host == one
