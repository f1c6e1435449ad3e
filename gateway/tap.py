"""What is read of an answer as it goes by: the upstream's usage, and how much was streamed (no I/O).

Laws: watching changes nothing, `feed` returns the very chunk it was given; only the usage event that we
asked for is left out (`sse.UsageHider`); memory is bounded: what is beyond its limit is passed on unread.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.dialects.answers import CHAT_ANSWERS, FAILED, AnswerShape, Told, model_of
from gateway.sse import EventReader, UsageHider
from gateway.types import RawHeaders, Usage
from gateway.usage import estimated_usage, is_absurd, read_object, read_usage

BODY_LIMIT: Final = 4 << 20
"""Bytes of a JSON answer that are copied for reading its usage, and that one chunk may unpack to."""

FINAL: Final = ("length", FAILED)
"""Ends that no other choice of the same answer makes good."""

DONE: Final = b"[DONE]"
"""The data of a stream's last event."""


class UsageTap:
    """Watches one answer go by: the upstream's usage, and how much of the answer was streamed.

    `is_hiding`: the client did not ask for usage, we did; the extra event is hidden (`UsageHider`). Only a
    plain event stream of status 2xx is ever touched, not one with a content-encoding, whose bytes we would
    have to write anew. A content-length, which would become wrong, is left out then.
    """

    def __init__(self, shape: AnswerShape = CHAT_ANSWERS, *, is_hiding: bool = False) -> None:
        self.answer_id: str | None = None
        """The upstream's name for what it keeps of the answer."""
        self.model: str | None = None
        """The model that answered, as the answer names it."""
        self.finish: str | None = None
        """Why the answer ended, in the word of its API."""
        self.output_characters = 0
        """Characters of streamed output so far, for an estimate when the stream breaks off."""
        self.is_done = False
        """The stream said that it is done: a client may leave now, as OpenAI's do, and has had it all."""
        self.is_absurd = False
        """The upstream told a usage that cannot be."""
        self._shape = shape
        self._told: Told | None = None
        self._usage: Usage | None = None
        self._is_hiding = is_hiding
        self._hider: UsageHider | None = None
        self._events: EventReader | None = None
        self._body: bytearray | None = None
        self._gzip: _Gunzip | None = None

    @property
    def usage(self) -> Usage | None:
        """The last usage the upstream reported; of a JSON answer, after `end`."""
        if self._usage is None or self._told is None or not self._told.get("is_partial"):
            return self._usage
        if not self._usage.prompt_tokens:  # zeros where nothing was known yet: an estimate knows more
            return None
        streamed = estimated_usage(0, self.output_characters).completion_tokens
        completion = max(self._usage.completion_tokens, streamed)
        return replace(self._usage, completion_tokens=completion, estimated=True)

    def head(self, status: int, headers: RawHeaders) -> RawHeaders | None:
        """Look at the answer's head: what can be read of it. Returns headers to send instead, or None."""
        fields = {name.lower(): value.strip().lower() for name, value in headers}
        encoding = fields.get(b"content-encoding", b"identity")
        if encoding in (b"gzip", b"x-gzip"):
            self._gzip = _Gunzip()
        elif encoding not in (b"", b"identity"):
            return None
        media = fields.get(b"content-type", b"").partition(b";")[0].strip()
        if media == b"application/json":
            self._body = bytearray()
        elif media == b"text/event-stream":
            self._events = EventReader()
            if self._is_hiding and self._gzip is None and 200 <= status < 300:
                self._hider = UsageHider()
                return [(name, value) for name, value in headers if name.lower() != b"content-length"]
        return None

    def feed(self, chunk: bytes) -> bytes:
        """One chunk as it arrived; returns what goes on to the client."""
        plain = chunk if self._gzip is None else self._gzip.feed(chunk)
        if self._events is not None:
            for data in self._events.feed(plain):
                self._read_event(data)
        elif self._body is not None:
            self._body += plain
            if len(self._body) > BODY_LIMIT:
                self._body = None
        return chunk if self._hider is None else self._hider.feed(chunk)

    def end(self) -> bytes:
        """The answer ended or broke off; returns held bytes that still go to the client."""
        if self._events is not None and (data := self._events.end()) is not None:
            self._read_event(data)
        if self._body is not None:
            self._read(read_object(bytes(self._body)))
            self._body = None
        return b"" if self._hider is None else self._hider.end()

    def _read_event(self, data: bytes) -> None:
        event = read_object(data)
        self.is_done = data == DONE or self._shape.is_last(event)
        self._read(event)
        self.output_characters += self._shape.characters(event)

    def _read(self, answer: Mapping[str, Any]) -> None:
        self.answer_id = self.answer_id or self._shape.id(answer)
        self.model = self.model or model_of(answer)
        finish = self._shape.finish(answer)
        if finish is not None and self.finish not in FINAL:
            self.finish = finish
        told = self._shape.usage(answer, self._told)
        if told is not None and told is not self._told:
            self._told = told
            self._usage = read_usage(told) or self._usage
            self.is_absurd = is_absurd(told)


class _Gunzip:
    """A side copy, unpacked. Broken data, or more than BODY_LIMIT from one chunk, ends the reading."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)
        self._is_broken = False

    def feed(self, data: bytes) -> bytes:
        if self._is_broken:
            return b""
        try:
            plain = self._unpacker.decompress(data, BODY_LIMIT)
        except zlib.error:
            self._is_broken = True
            return b""
        self._is_broken = bool(self._unpacker.unconsumed_tail)
        return plain
