"""Errors of the gateway package.

GatewayError
├── ConfigError          configuration is wrong: file, line, value and remedy
├── UpstreamError        no answer from the upstream; nothing has gone to the client yet
│   └── UpstreamTimeout  it did not answer in time
├── UpstreamBroken       the answer broke off midway; passed on by breaking the connection
└── ClientGone           the client closed its connection; nobody is left to answer
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of the tree."""


class ConfigError(GatewayError):
    """Configuration is wrong."""


class UpstreamError(GatewayError):
    """No answer from the upstream."""


class UpstreamTimeout(UpstreamError):
    """The upstream did not answer in time."""


class UpstreamBroken(GatewayError):
    """The upstream's answer broke off midway."""


class ClientGone(GatewayError):
    """The client closed its connection."""
