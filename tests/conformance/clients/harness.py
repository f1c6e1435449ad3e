"""Puts one client after another through all scenarios and prints a line of JSON for each.

    python -m tests.conformance.clients.openai_python URL

Runs in the client's own environment, so the standard library is all it needs. A client says how to ask; what
is asked, and what must come of it, is here. What no scenario foresees ends the program: the runner sees that
lines are missing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any, Protocol, TypeVar

from tests.conformance.clients.facts import ANSWER, STATUSES, STRUCTURED

TIMEOUT_S = 1.0
"""Of the client that asks and is never answered."""
ENOUGH_S = 60.0
N_BEFORE_LEAVING = 3
Answer = TypeVar("Answer")


class Client(Protocol):
    """One way to ask."""

    errors: tuple[type[Exception], ...]
    """What it raises for an answer that is an error, that breaks off or does not come."""

    def ask(self, key: str, timeout_s: float) -> str:
        """The answer to PROMPT."""

    def stream(self, key: str) -> Generator[str, None, None]:
        """The same in pieces; closing it leaves the stream."""

    def tools(self, key: str) -> str:
        """The answer to QUESTION after a round trip that brings DOCUMENT as the tool's result."""

    def structured(self, key: str) -> Mapping[str, Any]:
        """The answer to PROMPT in the shape of SCHEMA."""

    def status(self, error: Exception) -> int | None:
        """What the upstream answered, as the client tells it."""


class AsyncClient(Protocol):
    """The same on an event loop."""

    errors: tuple[type[Exception], ...]

    def ask(self, key: str) -> Awaitable[str]: ...
    def stream(self, key: str) -> AsyncGenerator[str, None]: ...
    def tools(self, key: str) -> Awaitable[str]: ...
    def structured(self, key: str) -> Awaitable[Mapping[str, Any]]: ...
    def status(self, error: Exception) -> int | None: ...


class OnALoop:
    """An asynchronous client as a `Client`. What takes too long is cancelled from outside."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self.errors = (*client.errors, TimeoutError)
        self._client, self._runner = client, runner

    def ask(self, key: str, timeout_s: float) -> str:
        async def asked() -> str:
            async with asyncio.timeout(timeout_s):
                return await self._client.ask(key)

        return self._runner.run(asked())

    def stream(self, key: str) -> Generator[str, None, None]:
        async def following() -> str | None:
            return await anext(stream, None)

        stream = self._client.stream(key)
        try:
            while (piece := self._runner.run(following())) is not None:
                yield piece
        finally:
            self._runner.run(stream.aclose())

    def tools(self, key: str) -> str:
        return self._run(self._client.tools(key))

    def structured(self, key: str) -> Mapping[str, Any]:
        return self._run(self._client.structured(key))

    def status(self, error: Exception) -> int | None:
        return self._client.status(error)

    def _run(self, asked: Awaitable[Answer]) -> Answer:
        async def answered() -> Answer:
            return await asked

        return self._runner.run(answered())


class Wrong(Exception):
    """Not what must come of a scenario."""


def expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise Wrong(f"{found!r} instead of {wanted!r}")


def _plain(client: Client, key: str) -> None:
    expect(client.ask(key, ENOUGH_S), ANSWER)


def _stream(client: Client, key: str) -> None:
    pieces = list(client.stream(key))
    expect("".join(pieces), ANSWER)
    expect(len(pieces) > 10, True)


def _tools(client: Client, key: str) -> None:
    expect(client.tools(key), ANSWER)


def _structured(client: Client, key: str) -> None:
    expect(dict(client.structured(key)), STRUCTURED)


def _error(client: Client, key: str) -> None:
    told = []
    for status in STATUSES:
        try:
            client.ask(key.replace("-error-", f"-error{status}-"), ENOUGH_S)
        except client.errors as error:
            told.append(client.status(error))
    expect(told, list(STATUSES))


def _broken(client: Client, key: str) -> None:
    pieces = []
    try:
        for piece in client.stream(key):
            pieces.append(piece)
    except client.errors:
        expect(ANSWER.startswith("".join(pieces)) and len(pieces) > N_BEFORE_LEAVING, True)
        return
    raise Wrong(f"a broken stream ended well after {len(pieces)} pieces")


def _cancel(client: Client, key: str) -> None:
    with closing(client.stream(key)) as stream:
        expect(len(list(islice(stream, N_BEFORE_LEAVING))), N_BEFORE_LEAVING)


def _timeout(client: Client, key: str) -> None:
    try:
        client.ask(key, TIMEOUT_S)
    except client.errors:
        return
    raise Wrong("an answer that never came")


SCENARIOS: Mapping[str, Callable[[Client, str], None]] = {
    "plain": _plain,
    "stream": _stream,
    "tools": _tools,
    "structured": _structured,
    "error": _error,
    "broken": _broken,
    "cancel": _cancel,
    "timeout": _timeout,
}


def run(clients: Mapping[str, Client | AsyncClient], *packages: str) -> None:
    """All scenarios of all clients, each by its name."""
    from importlib.metadata import version

    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    with asyncio.Runner() as runner:
        for name, client in clients.items():
            is_async = asyncio.iscoroutinefunction(client.ask)
            one: Any = OnALoop(client, runner) if is_async else client  # type: ignore[arg-type]  # just asked
            for scenario, tried in SCENARIOS.items():
                try:
                    tried(one, f"sk-{scenario}-{name}")
                except (Wrong, *one.errors) as error:
                    report(name, scenario, versions, f"{type(error).__name__}: {error}")
                else:
                    report(name, scenario, versions, "")


def report(client: str, scenario: str, versions: str, problem: str) -> None:
    line = {"client": client, "scenario": scenario, "versions": versions, "problem": problem[:400]}
    print(json.dumps(line), flush=True)


def url() -> str:
    """Of Pith, without a path."""
    return sys.argv[1]
