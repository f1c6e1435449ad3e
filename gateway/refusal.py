"""Answers of our own: requests that go no further, in a shape that OpenAI's and Anthropic's clients read.

The SDK maps the status to an exception class and retries 408, 409, 429 and 5xx by itself: `x-should-retry`
tells it when that cannot help.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from starlette.types import Send

from gateway.types import RawHeaders


@dataclass(slots=True)
class Refusal(Exception):
    """A request answered here. The message names the thing, the value and the remedy, never a secret."""

    status: int
    code: str
    """Ours, listed in docs/api.md."""
    message: str
    retry_after_s: int | None = None
    """When trying again may help; the SDK waits that long up to 120 s."""
    is_closing: bool = False
    """Whether the connection cannot be read any further and has to end with the answer."""

    def __str__(self) -> str:
        return self.message

    def headers(self) -> RawHeaders:
        """The fields of the answer."""
        fields = [(b"content-type", b"application/json")]
        if self.retry_after_s is not None:
            fields.append((b"retry-after", b"%d" % self.retry_after_s))
        elif self.status >= 500 or self.status in (408, 409, 429):
            fields.append((b"x-should-retry", b"false"))
        if self.is_closing:
            fields.append((b"connection", b"close"))
        return [*fields, (b"content-length", b"%d" % len(self.body()))]

    def body(self) -> bytes:
        """In OpenAI's shape, and with the one field more that makes it Anthropic's."""
        kind = _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "api_error")
        return json.dumps({"type": "error", **error_body(self.message, kind, self.code)}).encode()


def error_body(message: str, kind: str, code: str | None) -> dict[str, object]:
    """An error as OpenAI's clients read it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


async def refuse(send: Send, refusal: Refusal, added: RawHeaders | None = None) -> None:
    """Answer a request with `refusal`, and `added` header fields behind its own."""
    headers = [*refusal.headers(), *(added or [])]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body()})
