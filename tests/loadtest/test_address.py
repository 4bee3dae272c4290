"""Load is sent to this machine only."""

from __future__ import annotations

import pytest

from loadtest import address


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
    assert address.parse(url) == address.Address(host=host, port=port)


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
