"""Providers with an API of their own, through litellm as a library.

litellm translates and does nothing else. What it is called with is listed by a shape, one for each API that
clients speak (`shape`, `providers`); its bytes travel over our own connections (`httpx_transport`), so the
host, the limits of time and the address checks are those of any upstream; its retries, callbacks, logs,
telemetry and look-ups on the network are off. Of the client's header fields nothing goes on: the one
credential is the configuration's.

What a provider speaks itself (`NATIVE`) is not translated: it goes on byte for byte, with that credential.

A stream whose provider breaks off, or ends without saying why, is not ended: it breaks too.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
import warnings
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final

from gateway.dialects.paths import dialect_of
from gateway.errors import UpstreamBroken
from gateway.headers import CREDENTIALS, values, without
from gateway.refusal import Refusal
from gateway.types import RawHeaders, Upstream, UpstreamRequest, UpstreamResponse
from gateway.upstreams import chat_shape, messages_shape, responses_shape
from gateway.upstreams.providers import origin_of, prefix_of, read_request
from gateway.upstreams.shape import Asked, Chunks, Translate
from gateway.upstreams.translation import answer_of, late_failure, not_understood

SHAPES: Final[Mapping[str, Translate]] = {
    "/v1/chat/completions": chat_shape.translate,
    "/v1/messages": messages_shape.translate,
    "/v1/responses": responses_shape.translate,
}
"""What is translated, by the usual path of its dialect."""

NATIVE: Final[Mapping[str, tuple[str, ...]]] = {"anthropic": ("/v1/messages", "/v1/messages/count_tokens")}
"""What providers speak themselves."""

MAX_BODY_BYTES: Final = 32 << 20
SMALL_BODY_BYTES: Final = 8 << 10
"""What is read on the loop; more, on a thread."""

_QUIET: Final = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx")
_ENVIRONMENT: Final = {
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_MODE": "PRODUCTION",  # else it reads a file .env
    "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "0",  # none
}
"""What litellm reads when it is imported: nothing is fetched."""


_CALL: Final[dict[str, Any]] = {
    "max_retries": 0,
    "num_retries": 0,
    "drop_params": False,
    "_skip_mcp_handler": True,
}
"""With every call: one attempt, no field dropped silently, no tools but the client's."""


_SETTINGS: Final = {
    "disable_hf_tokenizer_download": True,
    "disable_streaming_logging": True,
    "drop_params": False,
    "modify_params": False,
    "suppress_debug_info": True,
    "turn_off_message_logging": True,
}


_READ_ONLY: Final = "Item .* is using the `ReadOnly` qualifier"
"""What pydantic says of litellm's models at their first use."""


@functools.cache
def load() -> ModuleType:
    """litellm, silent. The first time takes about two seconds, and 180 MiB with the first call."""
    os.environ.update(_ENVIRONMENT)
    library = importlib.import_module("litellm")
    vars(library).update(_SETTINGS)
    warnings.filterwarnings("ignore", _READ_ONLY, UserWarning)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return library


class LitellmUpstream:
    """An `Upstream` for a provider. `wire` goes to it, `url` is litellm's `api_base`."""

    def __init__(
        self, provider: str, key: str, wire: Upstream, *, url: str | None = None, name: str = "upstream"
    ) -> None:
        self._provider = provider
        self._key = key
        self._wire = wire
        self._url = url
        self._name = name

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Ask the provider; returns at its first words. Raises UpstreamError; cancellation closes all."""
        path, question, query = request.target.partition(b"?")
        dialect = dialect_of(request.method, path.decode("latin-1"))
        if dialect is not None and dialect.path in NATIVE.get(self._provider, ()):
            return await self._wire.send(self._native(request, dialect.path.encode() + question + query))
        try:
            translate = SHAPES.get(dialect.path) if dialect is not None else None
            if translate is None:
                raise self._not_served()
            _check_coding(request, self._name)
            body = await _whole(request.body)
            library = load() if load.cache_info().currsize else await asyncio.to_thread(load)
            asked = await self._asked(translate, body)
        except Refusal as refusal:
            return _refused(refusal)
        return await self._ask(library, asked)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    def _native(self, request: UpstreamRequest, target: bytes) -> UpstreamRequest:
        headers = [*without(request.headers, CREDENTIALS), (b"x-api-key", self._key.encode())]
        return replace(request, target=prefix_of(self._url) + target, headers=headers)

    def _not_served(self) -> Refusal:
        served = ", ".join(sorted({*SHAPES, *NATIVE.get(self._provider, ())}))
        message = f"upstream {self._name!r} (kind: litellm, provider: {self._provider}) serves POST {served}"
        return Refusal(404, code="not_translated", message=message)

    async def _asked(self, translate: Translate, body: bytes) -> Asked:
        try:
            if len(body) <= SMALL_BODY_BYTES:
                return translate(read_request(body), self._provider)
            return await asyncio.to_thread(lambda: translate(read_request(body), self._provider))
        except Refusal:
            raise
        except Exception as error:  # litellm raises what it likes at values of a wrong kind
            raise not_understood(error) from error

    async def _ask(self, library: ModuleType, asked: Asked) -> UpstreamResponse:
        call = _Call(self._wire, origin_of(self._provider, self._url), self._name)
        own = {**_CALL, "api_key": self._key, "api_base": self._url, "client": call.client}
        try:
            answer = await library.acompletion(**asked.arguments, **own)
            if not asked.arguments["stream"]:
                return _whole_answer(asked.whole(answer))
            chunks = Chunks(answer, await anext(answer), self._name)
        except Exception as error:  # noqa: BLE001 - litellm raises what it likes; all of it is the provider's part
            await call.aclose()
            return self._failed(error, call)
        except BaseException:  # a cancellation: it goes on, the connections do not stay open
            await call.aclose()
            raise
        return _Streamed(200, list(_STREAM), self._events(asked, chunks), call)

    def _failed(self, error: Exception, call: _Call) -> UpstreamResponse:
        try:
            status, headers, body = answer_of(error, self._name, self._key, has_asked=call.has_asked)
        except Refusal as refusal:
            return _refused(refusal)
        return UpstreamResponse(status, headers, _once(body))

    async def _events(self, asked: Asked, chunks: Chunks) -> AsyncIterator[bytes]:
        """The stream as the client's API writes it."""
        try:
            async for event in asked.events(chunks):
                yield event
        except Exception as error:  # as above
            yield asked.failed(*late_failure(error, self._name, self._key))
            raise UpstreamBroken(f"upstream {self._name!r} broke off its answer") from error


class _Call:
    """One call's connections: when it is over, so are they."""

    def __init__(self, wire: Upstream, origin: str, name: str) -> None:
        from gateway.upstreams.httpx_transport import OwnWire

        self._transport = OwnWire(wire, origin, name)
        handler = importlib.import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler
        self.client: Any = handler(transport=self._transport, follow_redirects=False)
        self.client.client = self.client.client  # ours: collected, it begins no task to close it

    @property
    def has_asked(self) -> bool:
        """Whether litellm came as far as asking the provider."""
        return self._transport.has_asked

    async def aclose(self) -> None:
        await self._transport.aclose()


@dataclass(slots=True)
class _Streamed(UpstreamResponse):
    """A stream whose connection is held by its call."""

    call: _Call

    async def aclose(self) -> None:
        """Close the connection if the stream has not come to its end."""
        await self.call.aclose()


_STREAM: Final[RawHeaders] = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


def _check_coding(request: UpstreamRequest, name: str) -> None:
    if any(coding.strip().lower() != b"identity" for coding in values(request.headers, b"content-encoding")):
        raise Refusal(
            415, code="not_translated", message=f"upstream {name!r} takes plain JSON: no content-encoding"
        )


async def _whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    if isinstance(body, bytes):
        return body
    read = bytearray()
    async for chunk in body:
        read += chunk
        if len(read) > MAX_BODY_BYTES:
            raise Refusal(
                413, code="not_translated", message=f"the body is over {MAX_BODY_BYTES} bytes: shorten it"
            )
    return bytes(read)


def _refused(refusal: Refusal) -> UpstreamResponse:
    return UpstreamResponse(refusal.status, refusal.headers(), _once(refusal.body()))


def _whole_answer(body: bytes) -> UpstreamResponse:
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return UpstreamResponse(200, head, _once(body))


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
