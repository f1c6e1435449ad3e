"""Which addresses an upstream may have (pure).

A name in the configuration may come to mean another address at any time, by a slip or by somebody's hand on
the DNS. Where that address is one of the machine's own cloud, a request with its answer would hand out the
machine's credentials. So every address is looked at after its name was resolved, before it is connected to.

Loopback and private addresses are fine: that is where people run their own models. What stands below is
refused unless `allow_addresses` names it. IPv6 forms that carry an IPv4 address are judged by that one.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

REFUSED: Final[tuple[tuple[str, str], ...]] = (
    # Metadata services outside link-local ranges come first: they are named for what they are.
    ("100.100.100.200/32", "cloud metadata"),  # Alibaba Cloud ECS, "Instance metadata"
    ("168.63.129.16/32", "cloud metadata"),  # Azure, "What is IP address 168.63.129.16?" (wire server)
    ("192.0.0.192/32", "cloud metadata"),  # Oracle Cloud Classic, "Retrieving instance metadata"
    ("169.254.169.254/32", "cloud metadata"),  # AWS, Azure, Google, OpenStack and most others
    ("169.254.170.2/32", "cloud metadata"),  # AWS ECS task credentials; .23 is EKS Pod Identity
    ("169.254.170.23/32", "cloud metadata"),
    ("fd00:ec2::/32", "cloud metadata"),  # AWS: ::254 instance metadata, ::23 EKS Pod Identity
    ("fd20:ce::254/128", "cloud metadata"),  # Google Compute Engine, IPv6-only instances
    ("fd00:42::42/128", "cloud metadata"),  # Scaleway instances
    ("169.254.0.0/16", "link-local"),  # RFC 3927
    ("fe80::/10", "link-local"),  # RFC 4291, section 2.5.6
    ("0.0.0.0/8", "unspecified"),  # RFC 1122, section 3.2.1.3: Linux takes 0.0.0.0 for itself
    ("::/128", "unspecified"),  # RFC 4291, section 2.5.2
    ("224.0.0.0/4", "multicast"),  # RFC 5771
    ("ff00::/8", "multicast"),  # RFC 4291, section 2.7
    ("255.255.255.255/32", "broadcast"),  # RFC 919
)
_REFUSED: Final[tuple[tuple[Network, str], ...]] = tuple((ip_network(net), what) for net, what in REFUSED)

_CARRIERS: Final[tuple[tuple[IPv6Network, int], ...]] = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291, section 2.5.5.2
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056: the 32 bits behind the prefix
    (IPv6Network("::/96"), 0),  # IPv4-compatible, RFC 4291, section 2.5.5.1; behind it ::1 and ::
)
"""IPv6 networks that carry an IPv4 address, and how many bits stand to the right of it."""


def refused_as(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """What `address` is that nobody may be forwarded to; None where it is fine or `allowed`."""
    forms = (address, *_carried(address))
    if any(form in network for form in forms for network in allowed):
        return None
    return next((what for network, what in _REFUSED for form in forms if form in network), None)


def literal(host: str) -> Address | None:
    """The address that a URL's host spells out, in any way the resolver takes (2852039166 too), or None."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def read_network(value: object) -> Network:
    """An entry of `allow_addresses`: an address or a network; ValueError for anything else."""
    try:
        return ip_network(str(value))
    except ValueError as error:
        raise ValueError(
            f"value {value!r}: must be an address or a network, e.g. 169.254.10.5 or fd00:ec2::254"
        ) from error


def _carried(address: Address) -> tuple[Address, ...]:
    if not isinstance(address, IPv6Address) or address in (_LOOPBACK, _UNSPECIFIED):
        return ()
    return tuple(
        IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
        for network, shift in _CARRIERS
        if address in network
    )


_LOOPBACK, _UNSPECIFIED = IPv6Address("::1"), IPv6Address("::")
