"""Addresses to listen on, written `host:port` (pure)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_WRITTEN = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:\[\]/@]+)):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it. Of names only `localhost` is known to be so."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(written: str) -> Address:
    """`127.0.0.1:8081`, `localhost:8081` or `[::1]:8081`. Raises ValueError."""
    match = _WRITTEN.fullmatch(written)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"value {written!r}: must be HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081")
    return Address(match["v6"] or match["host"], int(match["port"]))
