"""The transparent path again, with the whole gateway in between: the same bytes, and fields of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.app import create_app
from gateway.config import load as load_config
from gateway.headers import OWN_PREFIX
from tests.e2e.conftest import MakeApp
from tests.e2e.test_proxy import (
    TestAnswers,
    TestRequests,
    TestStreams,
    TestTheClientLeaves,
    TestTheUpstreamBreaks,
    path,
    test_any_split_of_an_answer_gives_the_same_bytes,
)
from tests.e2e.whole_gateway import configuration
from tests.fakes import LengthScorer

__all__ = [
    "TestAnswers",
    "TestRequests",
    "TestStreams",
    "TestTheClientLeaves",
    "TestTheUpstreamBreaks",
    "path",
    "test_any_split_of_an_answer_gives_the_same_bytes",
]


def less_our_own(app: ASGIApp) -> ASGIApp:
    """The application, its answers without the fields that Pith adds; there must be some."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def pick(message: Message) -> None:
            if message["type"] == "http.response.start":
                theirs = [field for field in message["headers"] if not field[0].startswith(OWN_PREFIX)]
                assert theirs == message["headers"][: len(theirs)], "ours come last"
                assert len(theirs) < len(message["headers"])
                message = {**message, "headers": theirs}
            await send(message)

        await app(scope, receive, pick)

    return wrapped


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    def make(url: str) -> ASGIApp:
        file = configuration(tmp_path, url, upstreams={"scripted": {"url": url}})
        return less_our_own(create_app(load_config(file, {}, {}), LengthScorer()))

    return make
