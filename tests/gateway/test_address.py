"""gateway.address: what is an address to listen on."""

from __future__ import annotations

import pytest

from gateway.address import Address, parse_address


@pytest.mark.parametrize(
    ("written", "read", "is_loopback"),
    [
        ("127.0.0.1:8081", Address("127.0.0.1", 8081), True),
        ("127.0.0.2:0", Address("127.0.0.2", 0), True),
        ("[::1]:8081", Address("::1", 8081), True),
        ("LocalHost:65535", Address("LocalHost", 65535), True),
        ("0.0.0.0:8081", Address("0.0.0.0", 8081), False),
        ("[::]:8081", Address("::", 8081), False),
        ("localhost.example.com:80", Address("localhost.example.com", 80), False),
        ("10.0.0.7:80", Address("10.0.0.7", 80), False),
    ],
)
def test_an_address_is_read_and_written_alike(written: str, read: Address, is_loopback: bool) -> None:
    assert parse_address(written) == read
    assert str(read) == written
    assert read.is_loopback == is_loopback


@pytest.mark.parametrize(
    "written",
    ["", "8081", ":8081", "127.0.0.1", "::1:8081", "h:65536", "h:-1", "h:8081 ", "u@h:80", "http://h:80"],
)
def test_what_is_no_address_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ValueError, match=r"must be HOST:PORT, such as 127\.0\.0\.1:8081"):
        parse_address(written)
