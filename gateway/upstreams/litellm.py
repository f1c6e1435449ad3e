"""Providers with an API of their own, through litellm as a library: chat completions in and out.

litellm translates and does nothing else. What it is called with is listed in `providers`; its bytes travel
over our own connections (`httpx_transport`), so the host, the limits of time and the address checks are those
of any upstream; its retries, callbacks, logs, telemetry and look-ups on the network are off. Of the client's
header fields nothing goes on: the one credential is the configuration's.

A stream whose provider breaks off, or ends without saying why, is not ended: it breaks too.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from gateway.errors import UpstreamBroken
from gateway.headers import values
from gateway.refusal import Refusal
from gateway.types import RawHeaders, Upstream, UpstreamRequest, UpstreamResponse
from gateway.upstreams.providers import call_arguments, origin_of
from gateway.upstreams.translation import DONE, answer_of, completion, event, late_failure

PATHS: Final = frozenset({b"/v1/chat/completions", b"/chat/completions"})
MAX_BODY_BYTES: Final = 32 << 20

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
    """An `Upstream` for chat completions. `wire` goes to the provider, `url` is litellm's `api_base`."""

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
        try:
            _check(request, self._name)
            arguments = call_arguments(await _whole(request.body), self._provider)
        except Refusal as refusal:
            return _refused(refusal)
        library = load() if load.cache_info().currsize else await asyncio.to_thread(load)
        call = _Call(self._wire, origin_of(self._provider, self._url), self._name)
        own = {**_CALL, "api_key": self._key, "api_base": self._url, "client": call.client}
        try:
            answer = await library.acompletion(**arguments, **own)
            if not arguments["stream"]:
                return _whole_answer(completion(answer.model_dump(warnings=False)))
            first = await anext(answer)
        except Exception as error:  # noqa: BLE001 - litellm raises what it likes; all of it is the provider's part
            await call.aclose()
            return self._failed(error)
        except BaseException:  # a cancellation: it goes on, the connections do not stay open
            await call.aclose()
            raise
        return _Streamed(200, list(_STREAM), self._events(answer, first), call)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    def _failed(self, error: Exception) -> UpstreamResponse:
        try:
            status, headers, body = answer_of(error, self._name, self._key)
        except Refusal as refusal:
            return _refused(refusal)
        return UpstreamResponse(status, headers, _once(body))

    async def _events(self, stream: Any, first: Any) -> AsyncIterator[bytes]:
        """The stream as OpenAI writes it."""
        try:
            yield self._event(stream, first)
            async for chunk in stream:
                yield self._event(stream, chunk)
        except Exception as error:  # as above
            yield late_failure(error, self._name, self._key)
            raise UpstreamBroken(f"upstream {self._name!r} broke off its answer") from error
        yield DONE

    def _event(self, stream: Any, chunk: Any) -> bytes:
        """At the end litellm makes up a reason to finish where the provider gave none: that is a break."""
        said = chunk.model_dump(warnings=False)
        is_end = any(choice.get("finish_reason") for choice in said["choices"])
        given = (stream.received_finish_reason, stream.intermittent_finish_reason)
        if is_end and given == (None, None):
            raise UpstreamBroken(f"upstream {self._name!r} ended its answer without saying why")
        return event(said)


class _Call:
    """One call's connections: when it is over, so are they."""

    def __init__(self, wire: Upstream, origin: str, name: str) -> None:
        from gateway.upstreams.httpx_transport import OwnWire

        self._transport = OwnWire(wire, origin, name)
        handler = importlib.import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler
        self.client: Any = handler(transport=self._transport, follow_redirects=False)
        self.client.client = self.client.client  # ours: collected, it begins no task to close it

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


def _check(request: UpstreamRequest, name: str) -> None:
    path = request.target.partition(b"?")[0]
    if request.method != "POST" or path not in PATHS:
        raise Refusal(
            404,
            code="not_translated",
            message=f"upstream {name!r} (kind: litellm) serves POST /v1/chat/completions only",
        )
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
