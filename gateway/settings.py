"""What the configuration may say, with its defaults. docs/configuration.md describes each key.

`config.load` reads it from flags, environment and file. Credentials come from the environment only,
and no message repeats one: values of `key`, `cache` and `ledger` are never quoted, nor is a URL with a user.
An upstream's part is in `upstreams/settings.py`, the admin listener's in `admin/settings.py`, a virtual key's
in `access/keys.py`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, PlainValidator, SecretStr, Tag, ValidationInfo

from compressor.placement import Isolation, Placement
from gateway.access.keys import VirtualKeys
from gateway.admin.settings import AdminConfig, read_admin
from gateway.cache.location import FORMS, RedisLocation, parse_location
from gateway.environment import value_of, variable_of
from gateway.kept.settings import KeptTextsConfig
from gateway.price_settings import Prices
from gateway.tracing.settings import TracingConfig
from gateway.upstreams.origin import parse_origin
from gateway.upstreams.settings import UpstreamConfig
from policies.params import Count, Frozen, Number
from policies.schema import Mode, Policies

DEFAULT_UPSTREAM = "openai"
DEFAULT_URL = "https://api.openai.com"

_DATABASE_URL = re.compile(r"(postgresql://[^/\s]*/[^/\s]+|sqlite:///\S.*)")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def _read_key_store(url: object) -> object:
    if url is not None and not (isinstance(url, str) and _DATABASE_URL.fullmatch(url)):
        raise ValueError("must be postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE")
    return url


def _read_cache(url: object, info: ValidationInfo) -> RedisLocation | None:
    """`memory://`, a Redis URL, or `env:NAME`: the variable that holds one."""
    if isinstance(url, str) and url.startswith("env:"):
        if (name := variable_of(url)) is None:
            raise ValueError("must be env:NAME with the name of an environment variable")
        url = value_of(name, info, remedy="set it to the cache's URL")
    if url in ("memory://", None):
        return None
    if not isinstance(url, str):
        raise ValueError(f"must be a URL: memory://, {FORMS}")
    return parse_location(url)


def _read_ledger(url: object, info: ValidationInfo) -> object:
    """As `key_store`, or `env:NAME`: the variable that holds it."""
    if isinstance(url, str) and url.startswith("env:"):
        if (name := variable_of(url)) is None:
            raise ValueError("must be env:NAME with the name of an environment variable")
        url = value_of(name, info, remedy="set it to the ledger's URL")
    if not isinstance(url, str) or not _DATABASE_URL.fullmatch(url):
        raise ValueError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    return url


def _read_device(device: object) -> object:
    """One device, or several: as a list, or with commas between them. Kept as the latter."""
    names = device.split(",") if isinstance(device, str) else device
    if not isinstance(names, list) or not all(
        isinstance(name, str) and _DEVICE.fullmatch(name.strip()) for name in names
    ):
        raise ValueError(f"value {device!r}: must be auto, cpu, cuda or cuda:N, or a list of them")
    names = [name.strip() for name in names]
    if not names or len(set(names)) < len(names) or (len(names) > 1 and {"auto", "cuda"} & {*names}):
        raise ValueError(f"value {device!r}: of several devices name each once, as cpu or cuda:N")
    return ",".join(names)


def _read_remote(url: object) -> object:
    if url is not None and not isinstance(url, str):
        raise ValueError("must be a plain URL such as http://gpu:8080")
    if url is not None:
        parse_origin(url)
    return url and url.rstrip("/")


def _read_remote_key(key: object, info: ValidationInfo) -> object:
    if key is None:
        return None
    if (name := variable_of(key)) is None:
        raise ValueError("must be env:NAME; a credential itself does not belong in a file")
    return SecretStr(value_of(name, info, remedy="set it, or leave remote_key out"))


def _policies_kind(value: object) -> str:
    return "list" if isinstance(value, list | tuple) else "path"


class Route(Frozen):
    """Sends requests to an upstream; globs as in policies."""

    path: str | None = None
    model: str | None = None
    upstream: str

    @property
    def is_open(self) -> bool:
        return self.path is None and self.model is None

    def takes(self, path: str, model: str | None) -> bool:
        return (self.path is None or fnmatchcase(path, self.path)) and (
            self.model is None or (model is not None and fnmatchcase(model, self.model))
        )


class CompressorConfig(Frozen):
    """The engine."""

    scorer: str = "default"
    """`default` (embedded), `frequency`, or a token-classification model: a folder or a hub name."""
    device: Annotated[str, BeforeValidator(_read_device)] = "auto"
    """Several, with commas between them, are replicas."""
    precision: Literal["auto", "fp32", "fp16", "bf16", "int8"] = "auto"
    max_batch_tokens: Annotated[Count, Field(ge=512)] = 16384
    """Token budget of one forward pass, padding included."""
    isolation: Isolation = "auto"
    """Whether the scorer has a process of its own; `auto`: on a GPU."""
    watchdog_s: Annotated[Number, Field(gt=0)] = 60.0
    """How long that process may take for a batch before it is killed and another started."""
    queue_ms: Annotated[Count, Field(ge=1)] = 2000
    """How long work may wait or be under way before newcomers go on whole at once."""
    remote: Annotated[str | None, BeforeValidator(_read_remote)] = None
    """Another instance's URL, whose scorer is used instead of one here."""
    remote_key: Annotated[SecretStr | None, BeforeValidator(_read_remote_key)] = None
    """The virtual key that is shown there."""
    deadline_ms: Annotated[Count, Field(ge=1)] = 500
    """Most a request waits for scores; then its text goes on whole."""
    usd_per_hour: Annotated[Number, Field(ge=0)] = 0.0
    """What an hour of the device costs, to be set against what compressing saves."""

    @property
    def placement(self) -> Placement:
        """What scores, and where."""
        devices = tuple(self.device.split(","))
        return Placement(self.scorer, devices, self.precision, self.isolation, self.watchdog_s)


Seconds: TypeAlias = Annotated[Number, Field(gt=0)]


class TimeoutsConfig(Frozen):
    """How long each side may be silent, in seconds; for the compressor that is `compressor.deadline_ms`."""

    header_read_s: Seconds = 10.0
    """For the head of a request, from its first byte."""
    body_read_s: Seconds = 60.0
    """Between two reads of a request's body."""
    queue_s: Seconds = 2.0
    """Most a request waits to be admitted."""
    connect_s: Seconds = 5.0
    """Name lookup, TCP and TLS to an upstream."""
    first_byte_s: Seconds = 600.0
    """From the end of a request to the head of its answer; as patient as the OpenAI SDK."""
    stream_idle_s: Seconds = 300.0
    """Between two reads of an answer. There is no limit on a whole one: a stream may last."""
    write_stall_s: Seconds = 60.0
    """How long a client may take nothing of its answer."""


class LimitsConfig(Frozen):
    """How much a process does at once."""

    max_in_flight: Annotated[Count, Field(ge=1)] = 1000
    """Requests being served, streams until they end; over it they are refused (`overloaded`)."""
    max_compressing: Annotated[Count, Field(ge=1)] = 64
    """Requests being compressed; over it they wait for their turn, or go on uncompressed."""


class DrainConfig(Frozen):
    """How the process stops."""

    announce_s: Annotated[Number, Field(ge=0)] = 0.0
    """Seconds between `/pith/readyz` saying so and refusing connections; a load balancer's reaction time."""
    limit_s: Annotated[Number, Field(ge=0)] = 30.0
    """Seconds that running answers have to end."""


class ListenConfig(Frozen):
    """The main port."""

    host: str = "127.0.0.1"
    port: Annotated[Count, Field(ge=0, le=65535)] = 8080
    """0: any free port."""


class LogConfig(Frozen):
    """The lines on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lines below it are left out; the line of a request is `info`."""


Upstreams: TypeAlias = dict[str, UpstreamConfig]
ModelName: TypeAlias = Annotated[str, Field(min_length=1)]


class Config(Frozen):
    """Everything the process is told at its start."""

    upstreams: Upstreams = Field(default_factory=lambda: {DEFAULT_UPSTREAM: UpstreamConfig(url=DEFAULT_URL)})
    routes: tuple[Route, ...] = ()
    """First match wins; none: everything to `openai`, or to the only upstream."""
    compressor: CompressorConfig = CompressorConfig()
    cache: Annotated[RedisLocation | None, PlainValidator(_read_cache)] = None
    """Shared by replicas, in Redis; None, written `memory://`: in this process alone."""
    cache_timeout_ms: Annotated[Count, Field(ge=1)] = 50
    """Most a request waits for an answer of a cache in Redis; twice that for all of them together."""
    cache_max_bytes: Annotated[Count, Field(ge=1 << 20)] = 256 << 20
    """Of the in-process cache; the least recently used entries go first."""
    ledger: Annotated[str, BeforeValidator(_read_ledger), Field(repr=False)] = "sqlite:///pith.db"
    ledger_retention_days: Annotated[Count, Field(ge=1)] | None = None
    """Rows older than this are deleted, their sums by day kept; silent: rows are kept too."""
    feedback_reasons: bool = False
    """Whether the words that come with feedback are stored."""
    kept_texts: KeptTextsConfig = KeptTextsConfig()
    """Requests that policies keep for `pith replay`."""
    models: dict[ModelName, ModelName] = Field(default_factory=dict)
    """Models under names of one's own, as Azure's deployments have: what they are."""
    prices: Prices = ()
    """Prices of one's own, in place of the price map's."""
    mode: Mode = "on"
    """The kill switch: no request is treated more strongly than this."""
    policies: (
        Annotated[
            Annotated[Path, Tag("path")] | Annotated[Policies, Tag("list")], Discriminator(_policies_kind)
        ]
        | None
    ) = None
    """A policy file or the list itself; silent: the packaged default."""
    listen: ListenConfig = ListenConfig()
    admin: Annotated[AdminConfig, BeforeValidator(read_admin)] = Field(default={}, validate_default=True)
    """The admin listener; `off`: none."""
    workers: Annotated[Count, Field(ge=1, le=256)] = 1
    """Processes that serve the main port."""
    log: LogConfig = LogConfig()
    tracing: TracingConfig = TracingConfig()
    timeouts: TimeoutsConfig = TimeoutsConfig()
    limits: LimitsConfig = LimitsConfig()
    drain: DrainConfig = DrainConfig()
    max_body_bytes: Annotated[Count, Field(ge=1024)] = 32 << 20
    """Larger request bodies are forwarded without being looked into (`too_large`)."""
    allow_overrides: bool = True
    """Whether `x-pith-policy`, `-mode` and `-rate` are honoured; `x-pith-mode: off` always is."""
    keys: VirtualKeys = ()
    """Virtual keys, besides those of the key store."""
    require_keys: bool | None = None
    """Whether every request needs a virtual key; silent: when `keys` names any."""
    key_store: Annotated[SecretStr | None, BeforeValidator(_read_key_store)] = None
    """Where `pith keys` keeps its keys: a URL that may hold a password; silent: in the ledger's file."""

    @property
    def requires_keys(self) -> bool:
        """Whether requests without a virtual key are refused."""
        return bool(self.keys) if self.require_keys is None else self.require_keys

    @property
    def key_store_url(self) -> str:
        """Where the key store is."""
        return self.key_store.get_secret_value() if self.key_store else self.ledger

    @property
    def default_upstream(self) -> str | None:
        """Where requests go without routes; None when it is not clear."""
        if DEFAULT_UPSTREAM in self.upstreams:
            return DEFAULT_UPSTREAM
        return next(iter(self.upstreams)) if len(self.upstreams) == 1 else None

    def model_of(self, name: str | None) -> str | None:
        """The model that a request names, by its own name."""
        return None if name is None else self.models.get(name, name)

    def upstream_for(self, path: str, model: str | None) -> str:
        """The upstream that serves a request; `load` has made sure that there is one."""
        for route in self.routes:
            if route.takes(path, model):
                return route.upstream
        assert self.default_upstream is not None
        return self.default_upstream
