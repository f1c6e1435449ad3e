"""What the configuration may say of one upstream: where it is, whose key it gets, what it is spared."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_core import PydanticCustomError

from gateway.environment import value_of, variable_of
from gateway.upstreams.addresses import Network, literal, read_network, refused_as
from gateway.upstreams.origin import parse_origin
from gateway.upstreams.providers import PROVIDERS
from policies.params import Count, Frozen, Number

NO_KEY: Final = SecretStr("")
"""For an upstream that asks for none: no credential goes on."""

_MISSING: Final = PydanticCustomError("missing", "of a key that is needed with the kind")


def _read_provider(provider: object, info: ValidationInfo) -> object:
    """litellm's name of a provider; for an upstream of kind http there is none."""
    if info.data.get("kind") == "http" and provider is not None:
        raise ValueError("is for kind: litellm only; remove it, or set the kind")
    if info.data.get("kind") == "litellm" and provider is None:
        raise _MISSING
    if info.data.get("kind") == "litellm" and provider not in PROVIDERS:
        raise ValueError(
            f"value {provider!r}: must be one of {', '.join(PROVIDERS)}; "
            "what speaks OpenAI's API itself is kind: http"
        )
    return provider


def _read_url(url: object, info: ValidationInfo) -> str:
    """Where it is. A provider whose place is known needs none: that is the empty one."""
    is_translated = info.data.get("kind") == "litellm"
    if not url:
        if is_translated and PROVIDERS.get(info.data.get("provider", "")) is not None:
            return ""
        raise _MISSING
    if not isinstance(url, str):
        raise ValueError("must be a plain URL such as https://api.openai.com")
    # A request's own path begins with /v1; a translated one has the path that litellm puts behind its base.
    address = literal(parse_origin(url.rstrip("/").removesuffix("/v1") if is_translated else url).host)
    allowed = info.data.get("allow_addresses")  # absent where it is wrong itself
    if address is not None and allowed is not None and (what := refused_as(address, allowed)):
        raise ValueError(
            f"value {url!r}: is a {what} address, which requests are not forwarded to; correct it, "
            f"or list {address} in allow_addresses"
        )
    return url.rstrip("/")


def _read_key(key: object, info: ValidationInfo) -> SecretStr | None:
    """`pass`: the caller's own credential goes on. `env:NAME`: this one does, from the environment."""
    if info.data.get("kind") == "litellm" and key is None:
        raise _MISSING
    if info.data.get("kind") == "litellm" and key in ("pass", "none"):
        raise ValueError("a provider's key is needed: name the variable that holds it with env:NAME")
    if key in ("pass", None):
        return None
    if key == "none":
        return NO_KEY
    if (name := variable_of(key)) is None:
        raise ValueError("must be pass, none or env:NAME; a credential itself does not belong in a file")
    return SecretStr(value_of(name, info, remedy="set it, or use key: pass"))


class RetriesConfig(Frozen):
    """What is tried again. Never a request of which a byte was sent."""

    connect: Annotated[Count, Field(ge=0, le=5)] = 0
    """How often a failed connect is tried again for one request."""
    budget: Annotated[Number, Field(ge=0, le=1)] = 0.1
    """Retries of all requests together, as a share of the last ones."""


class UpstreamConfig(Frozen):
    """Where requests go."""

    allow_addresses: tuple[Annotated[Network, BeforeValidator(read_network)], ...] = ()
    """Link-local, metadata and other special addresses that may be connected to all the same."""
    kind: Literal["http", "litellm"] = "http"
    """`litellm`: a provider with an API of its own, translated to."""
    provider: Annotated[str | None, BeforeValidator(_read_provider), Field(validate_default=True)] = None
    """Of kind litellm: its name there."""
    url: Annotated[str, BeforeValidator(_read_url), Field(validate_default=True)] = ""
    """Origin, and a path prefix if any, to which the request's own path is appended. Of kind litellm: its
    `api_base`, empty for the provider's own."""
    key: Annotated[SecretStr | None, BeforeValidator(_read_key), Field(validate_default=True)] = None
    """Written `pass` (None here), `env:NAME`, or `none` (`NO_KEY`)."""
    ask_usage: bool = True
    """Ask for the usage of streamed answers; false for an upstream that rejects `stream_options`."""
    max_in_flight: Annotated[Count, Field(ge=1)] = 1000
    """Requests under way with it at once, tunnels among them."""
    retries: RetriesConfig = RetriesConfig()
