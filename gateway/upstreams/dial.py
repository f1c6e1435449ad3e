"""New connections to one upstream: resolve, check, connect; how often and how soon again.

What is connected to is the very address that was checked: the name is not looked up twice. An upstream that
takes no connection is left alone for a while (`Breaker`), and only a failure to connect, when no byte was
sent, may be tried again (`RetryBudget`).
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from random import random

from gateway.breaker import Breaker
from gateway.errors import UpstreamError, UpstreamTimeout
from gateway.upstreams.addresses import Network, refused_as
from gateway.upstreams.connection import Connection
from gateway.upstreams.origin import Origin
from gateway.upstreams.retries import RetryBudget, wait_s

STAGGER_S = 0.25
"""How long an address has before the next is tried beside it (RFC 8305, section 5)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upstream is spared, and what it is not trusted with."""

    max_in_flight: int = 1000
    """Exchanges and tunnels at once; over it requests wait `Timeouts.queue_s`."""
    connect_retries: int = 0
    """How often a failed connect is tried again for one request."""
    retry_budget: float = 0.1
    """Retries over all requests, as a share of the last ones."""
    allow_addresses: tuple[Network, ...] = ()
    """Addresses that would be refused (`addresses.REFUSED`), allowed all the same."""


class AddressRefused(OSError):
    """The upstream's name means nothing but addresses that nobody may be forwarded to."""


class Dialer:
    """Opens connections; raises UpstreamError. Its messages name no address."""

    def __init__(
        self,
        origin: Origin,
        *,
        name: str,
        tls: ssl.SSLContext | None,
        connect_s: float,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origin = origin
        self._name = f"upstream {name!r}"
        self._tls = tls
        self._connect_s = connect_s
        self._limits = limits
        self.budget = RetryBudget(limits.retry_budget)
        """Paid into by every request, also those that need no new connection."""
        self.breaker = Breaker(clock)
        self._why = ""
        """Why the last attempt failed."""

    async def open(self) -> Connection:
        """A new connection."""
        n_failed = 0
        while True:
            self._check_breaker()
            try:
                return await self._attempt()
            except UpstreamError:
                n_failed += 1
                if n_failed > self._limits.connect_retries or not self.budget.take():
                    raise
            await asyncio.sleep(wait_s(n_failed, random()))  # noqa: S311  # spreads callers, keeps no secret

    def _check_breaker(self) -> None:
        if not self.breaker.allows():
            again_s = math.ceil(self.breaker.wait_s)
            raise UpstreamError(
                f"{self._name} took no connection several times in a row, at last because: {self._why}. "
                f"The next attempt is in {again_s} s",
                retry_after_s=again_s,
            )

    async def _attempt(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_s):
                connection = await self._connect()
        except TimeoutError as error:
            self._fail(f"it took longer than {self._connect_s:g} s")
            raise UpstreamTimeout(f"{self._name} took no connection within {self._connect_s:g} s") from error
        except OSError as error:
            self._fail(_reason(error))
            raise UpstreamError(f"{self._name} cannot be reached: {self._why}") from error
        self.breaker.succeeded()
        return connection

    def _fail(self, why: str) -> None:
        self.breaker.failed()
        self._why = why

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._origin.host, self._origin.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        fine = [one for one in addresses if refused_as(ip_address(one), self._limits.allow_addresses) is None]
        if not fine:
            raise AddressRefused
        return await self._connect_to(fine[0]) if len(fine) == 1 else await self._race(fine)

    async def _connect_to(self, address: str) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection,
            address,
            self._origin.port,
            ssl=self._tls,
            server_hostname=self._origin.host if self._tls else None,
        )
        return connection

    async def _race(self, addresses: Sequence[str]) -> Connection:
        """The first to connect, each address STAGGER_S after the one before, or as soon as that failed."""
        waiting, running = deque(addresses), set[asyncio.Task[Connection]]()
        fault: BaseException | None = None
        try:
            while waiting or running:
                if waiting:
                    running.add(asyncio.create_task(self._connect_to(waiting.popleft())))
                done, _ = await asyncio.wait(
                    running,
                    timeout=STAGGER_S if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    running.discard(task)
                    if (fault := task.exception()) is None:
                        return task.result()
            assert fault is not None
            raise fault
        finally:
            for task in running:
                task.cancel()
                task.add_done_callback(_discard)


def _discard(task: asyncio.Task[Connection]) -> None:
    """One that came second, or too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().abort()


def _reason(error: OSError) -> str:
    """Our own words: an operating system's text may hold an address."""
    if isinstance(error, AddressRefused):
        return (
            "its name means a link-local, metadata or other address that requests are not forwarded to; "
            "correct the name, or list the address in allow_addresses"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return "connection refused" if isinstance(error, ConnectionRefusedError) else "network error"
