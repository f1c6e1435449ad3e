"""Errors of the gateway package.

GatewayError
├── ConfigError          configuration is wrong: file, line, value and remedy
├── KeyStoreError        the store of virtual keys cannot be read or written
├── UpstreamError        no answer from the upstream; nothing has gone to the client yet
│   ├── UpstreamTimeout  it did not answer in time
│   └── UpstreamBusy     as much is under way with it as it is given at once
├── CacheError           no answer from the shared cache: a miss
│   ├── CacheDown        it cannot be asked, or does not answer in time
│   └── CacheRefused     it answers by an error
├── UpstreamBroken       the answer broke off midway; passed on by breaking the connection
└── ClientGone           the client closed its connection; nobody is left to answer
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of the tree."""


class ConfigError(GatewayError):
    """Configuration is wrong."""


class KeyStoreError(GatewayError):
    """The store of virtual keys cannot be read or written."""


class UpstreamError(GatewayError):
    """No answer from the upstream."""

    status = 502
    code = "upstream_unavailable"

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """When trying again may help, if that is known."""


class UpstreamTimeout(UpstreamError):
    """The upstream did not answer in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamBusy(UpstreamError):
    """As much is under way with the upstream as it is given at once."""

    status = 503
    code = "upstream_busy"


class CacheError(GatewayError):
    """No answer from the shared cache; the message says why in words of ours, never in the server's."""


class CacheDown(CacheError):
    """The shared cache cannot be asked, or does not answer in time."""


class CacheRefused(CacheError):
    """The shared cache answers by an error."""


class UpstreamBroken(GatewayError):
    """The upstream's answer broke off midway."""


class ClientGone(GatewayError):
    """The client closed its connection."""
