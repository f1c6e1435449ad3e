"""Which addresses an upstream may have."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstreams.addresses import REFUSED, literal, read_network, refused_as

V4 = [net for net, _ in REFUSED if "." in net]


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("169.254.169.254", "cloud metadata"),
        ("169.254.170.2", "cloud metadata"),
        ("100.100.100.200", "cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("192.0.0.192", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
        ("fd00:ec2::23", "cloud metadata"),
        ("fd20:ce::254", "cloud metadata"),
        ("fd00:42::42", "cloud metadata"),
        ("169.254.0.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "broadcast"),
    ],
)
def test_is_refused(address: str, what: str) -> None:
    assert refused_as(ip_address(address)) == what


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.5", "192.168.1.1", "172.16.0.1", "100.64.0.1", "8.8.8.8", "::1", "fd00::1"),
        *("2606:4700::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::8.8.8.8", "2002:808:808::1"),
    ],
)
def test_is_fine(address: str) -> None:
    assert refused_as(ip_address(address)) is None


@given(st.sampled_from(V4), st.integers(0), st.integers(0, 2**80 - 1))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_as_itself(net: str, at: int, rest: int) -> None:
    network = ip_network(net)
    inner = int(network.network_address) + at % network.num_addresses
    what = refused_as(IPv4Address(inner))
    assert what is not None
    assert refused_as(IPv6Address(f"::ffff:{IPv4Address(inner)}")) == what
    assert refused_as(IPv6Address(f"64:ff9b::{IPv4Address(inner)}")) == what
    assert refused_as(IPv6Address((0x2002 << 112) | (inner << 80) | rest)) == what


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("169.254.169.254", "169.254.169.254"),
        ("::ffff:169.254.169.254", "169.254.169.254"),
        ("::ffff:169.254.169.254", "::ffff:169.254.169.254"),
        ("169.254.10.5", "169.254.0.0/16"),
        ("fd00:ec2::254", "fd00:ec2::254"),
    ],
)
def test_what_is_allowed_by_name_is_fine(address: str, allowed: str) -> None:
    assert refused_as(ip_address(address), [read_network(allowed)]) is None
    assert refused_as(ip_address(address), [read_network("169.254.169.253")]) is not None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("169.254.169.254", "169.254.169.254"),
        ("2852039166", "169.254.169.254"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("0251.0376.0251.0376", "169.254.169.254"),
        ("169.254.43518", "169.254.169.254"),
        ("::1", "::1"),
    ],
)
def test_a_literal_in_any_spelling(host: str, address: str) -> None:
    assert literal(host) == ip_address(address)


@pytest.mark.parametrize("host", ["api.openai.com", "localhost", "1.2.3.4.example", "h1"])
def test_a_name_is_no_literal(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize("value", ["api.openai.com", "169.254.10.5/8", "", None, 7.5])
def test_what_is_no_network(value: object) -> None:
    with pytest.raises(ValueError, match="must be an address or a network"):
        read_network(value)
