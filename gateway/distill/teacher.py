"""The teacher: any endpoint that speaks OpenAI's chat completions, asked once for one text.

What comes of it is an answer, or an error that says whether to ask again (Busy, Lost), to leave this text
(Refused) or to stop (TeacherError: address, key or model are wrong). Keys and texts are in no message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

import httpx
import orjson

from gateway.errors import GatewayError
from gateway.types import Usage
from gateway.usage import read_usage

SHOWN = 200
"""Characters of a refusal that are shown."""
_LATER = frozenset({408, 409, 425, 429})
_NEVER = frozenset({401, 403, 404, 405})


class TeacherError(GatewayError):
    """The teacher cannot be asked at all; says why and what to do."""


class NoAnswer(Exception):
    """No answer this time."""


class Busy(NoAnswer):
    """Nothing was done, nothing is billed: ask again, after `wait_s` if that was said."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Lost(NoAnswer):
    """The answer got lost, and may be billed all the same."""


class Refused(NoAnswer):
    """This text is not answered, however often it is asked."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the teacher said."""

    content: str
    is_whole: bool
    """False when it was cut at its longest."""
    usage: Usage | None


class Asks(Protocol):
    """The seam between who asks and how."""

    async def ask(self, text: str, most_tokens: int) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the teacher is."""

    url: str
    """As clients of OpenAI are given it, so with a path; a host alone stands for its `/v1`."""
    model: str
    key: str | None = field(default=None, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict)
    """Fields for each request; null takes one of ours away."""
    timeout_s: float = 120.0


class Teacher:
    """Asks one endpoint, while it is entered."""

    def __init__(self, endpoint: Endpoint, instruction: str, most_connections: int = 8) -> None:
        self._endpoint = endpoint
        self._instruction = instruction
        self._client = httpx.AsyncClient(
            limits=httpx.Limits(max_connections=most_connections), timeout=endpoint.timeout_s
        )
        self._url = f"{_root(endpoint.url)}/chat/completions"
        self._headers = {"authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}

    async def __aenter__(self) -> Teacher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(self, text: str, most_tokens: int) -> Reply:
        """One request, one answer. Raises NoAnswer or TeacherError."""
        body = orjson.dumps(self._body(text, most_tokens))
        headers = {"content-type": "application/json", **self._headers}
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Busy(f"no connection ({type(error).__name__})") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Lost(f"the connection broke off ({type(error).__name__})") from error
        except (httpx.InvalidURL, ValueError) as error:
            reason = type(error).__name__  # its words may hold the key
            raise TeacherError(f"{self._url} cannot be asked: {reason}; check --url and the key") from None
        if answer.status_code == httpx.codes.OK:
            return _read(answer.content)
        raise self._failure(answer)

    def _body(self, text: str, most_tokens: int) -> dict[str, Any]:
        messages = [{"role": "system", "content": self._instruction}, {"role": "user", "content": text}]
        ours = {"temperature": 0.3, "max_tokens": most_tokens}
        fields = {"model": self._endpoint.model, "messages": messages, **ours, **self._endpoint.body}
        return {name: value for name, value in fields.items() if value is not None}

    def _failure(self, answer: httpx.Response) -> Exception:
        status = answer.status_code
        if status in _LATER or status >= 500:
            return Busy(f"status {status}", _seconds(answer.headers.get("retry-after")))
        if status in _NEVER or status < 400:
            remedy = "check --url, --model and the variable of --key-env"
            return TeacherError(f"{self._url} answers with status {status}: {remedy}")
        return Refused(f"status {status}: {_message(answer.content)}")


def _root(url: str) -> str:
    """The address below which the endpoint's paths begin."""
    url = url.rstrip("/")
    return url if "/" in url.partition("://")[2] else f"{url}/v1"


def _read(content: bytes) -> Reply:
    try:
        answer = orjson.loads(content)
        choice = answer["choices"][0]
        said, finish = choice["message"]["content"], choice.get("finish_reason")
        usage = answer.get("usage")
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
        raise Lost(f"the answer is no chat completion ({type(error).__name__})") from error
    return Reply(said if isinstance(said, str) else "", finish != "length", read_usage(usage))


def _message(content: bytes) -> str:
    """The refusal's own words, cut."""
    try:
        return str(orjson.loads(content)["error"]["message"])[:SHOWN]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return "no reason given"


def _seconds(written: str | None) -> float | None:
    """Of a `retry-after`; None where there is none, or a date."""
    try:
        seconds = float(written or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
