"""An upstream that reads a request and answers at once, for the benchmarks: a process of its own, so that it
takes no time from Pith's. `python -m gateway.demo.instant` prints its port and serves until it is ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope, Send

from gateway.server import serve

_ANSWER = json.dumps(
    {
        "id": "chatcmpl-instant",
        "object": "chat.completion",
        "created": 0,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, then answer."""
    if scope["type"] != "http":
        raise NotImplementedError(f"no {scope['type']} here")
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


def _say(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


@contextmanager
def instant_upstream() -> Iterator[str]:
    """Run the upstream in a process of its own; yields its base URL."""
    command = [sys.executable, "-m", __name__]  # our own module, nothing from outside
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port:
                raise RuntimeError("the upstream's process did not start: see the lines above")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    serve(app, "127.0.0.1", 0, drain_s=1, on_ready=_say)
