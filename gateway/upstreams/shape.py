"""How one API's requests are asked of litellm, and its answers said in that API again.

A shape is one function, `Translate`: it takes a stranger's request and lists what goes on. All of it is asked
as a chat completion, which is what litellm translates to every provider.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.errors import UpstreamBroken


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as litellm is called, and how what it returns is said to the client."""

    arguments: Mapping[str, Any]
    whole: Callable[[Any], bytes]
    """The body of an answer."""
    events: Callable[[Chunks], AsyncIterator[bytes]]
    """A stream's events, the last one included."""
    failed: Callable[[str, str], bytes]
    """The event that tells of a failure amid a stream, from its message and its type."""


Translate: TypeAlias = Callable[[dict[str, Any], str], Asked]
"""What is asked of a provider for a request that was read. Raises Refusal."""


class Chunks:
    """litellm's stream from its first chunk on. At its end litellm makes up a reason to finish where the
    provider gave none: that is a break. Raises UpstreamBroken for it."""

    def __init__(self, stream: Any, first: Any, name: str) -> None:
        self._stream = stream
        self._first = first
        self._name = name
        self.logging_obj = stream.logging_obj  # litellm's own translations look for it

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> Any:
        chunk, self._first = self._first, None
        if chunk is None:
            chunk = await anext(self._stream)
        given = (self._stream.received_finish_reason, self._stream.intermittent_finish_reason)
        if given == (None, None) and any(choice.finish_reason for choice in chunk.choices):
            raise UpstreamBroken(f"upstream {self._name!r} ended its answer without saying why")
        return chunk
