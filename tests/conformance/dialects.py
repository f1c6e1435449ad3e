"""The three dialects as the probes speak them: a request with a long text in it, and streams of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tests.e2e.whole_gateway import LONG


@dataclass(frozen=True, slots=True)
class Spoken:
    """One API's bytes. `before` and `after` stand around the literal of the text in a request."""

    path: bytes
    before: bytes
    after: bytes
    events: tuple[bytes, ...]
    """A stream, whole."""
    late_error: bytes
    """What an upstream sends that fails amid a stream."""
    asking: bytes = b""
    """What a hop that compresses may add to a streamed request, to be told its usage."""

    def body(self, literal: bytes = b"", *, streamed: bool = False) -> bytes:
        """A request; its text is LONG unless said otherwise."""
        switch = b'"stream":true,' if streamed else b""
        return b"{" + switch + self.before[1:] + (literal or json.dumps(LONG).encode()) + self.after

    @property
    def stream(self) -> bytes:
        return b"".join(self.events)


_ODD = b'"temperature":1.0e0,"seed":9007199254740993 ,"x":{"b":1.10,"a":-0,"b":1E2},"e":"\\u00e9\\/",'
"""What nobody who parses and writes again gives back."""


def _typed(kind: str, fields: str) -> bytes:
    return f'event: {kind}\ndata: {{"type":"{kind}",{fields}}}\n\n'.encode()


def _chunk(fields: str) -> bytes:
    return f'data: {{"object":"chat.completion.chunk","choices":[{fields}]}}\n\n'.encode()


_CHAT: Final = Spoken(
    b"/v1/chat/completions",
    b'{"model":"gpt-4o-mini",%b"stream_options":{"include_usage":true},'
    b'"messages":[{"role":"user","content":' % _ODD,
    b"} ]\n}",
    (
        _chunk('{"index":0,"delta":{"content":"café 完"}}'),
        _chunk('{"index":0,"delta":{},"finish_reason":"stop"}'),
        b"data: [DONE]\n\n",
    ),
    b'data: {"error":{"message":"overloaded","type":"server_error","param":null,"code":"late"}}\n\n',
)

DIALECTS: Mapping[str, Spoken] = {
    "chat": _CHAT,
    "chat that did not ask for usage": replace(
        _CHAT,
        before=_CHAT.before.replace(b'"stream_options":{"include_usage":true},', b""),
        asking=b',"stream_options":{"include_usage":true}',
    ),
    "responses": Spoken(
        b"/v1/responses",
        b'{"model":"gpt-4o-mini",%b"input":[{"type":"reasoning","encrypted_content":"gAAA=="},'
        b'{"role":"user","content":' % _ODD,
        b"} ]\n}",
        (
            _typed("response.output_text.delta", '"sequence_number":3,"delta":"café 完"'),
            _typed("response.unheard_of", '"sequence_number":4'),
            _typed("response.completed", '"sequence_number":5,"response":{"id":"resp_1","usage":null}'),
        ),
        _typed("error", '"sequence_number":9,"code":"late","message":"overloaded","param":null'),
    ),
    "messages": Spoken(
        b"/v1/messages",
        b'{"model":"claude-sonnet-4-6","max_tokens":1e2,%b"messages":[{"role":"user","content":' % _ODD,
        b"} ]\n}",
        (
            _typed("content_block_delta", '"index":0,"delta":{"type":"text_delta","text":"café 完"}'),
            _typed("ping", '"x":1'),
            _typed("message_stop", '"x":1'),
        ),
        _typed("error", '"error":{"type":"overloaded_error","message":"Overloaded"}'),
    ),
}
