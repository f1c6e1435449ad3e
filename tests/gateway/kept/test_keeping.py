"""Which requests are kept, through the recipe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from gateway.chat import handle
from gateway.config import load as load_config
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.kept.record import Kept
from gateway.types import RawHeaders
from tests.gateway.pipeline import Pipeline, PureCompressor, incoming, pipeline, policy_set
from tests.gateway.test_chat import PARAMS, TEXT, FakeClient, FakeUpstream, chat

ANSWER = b'{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}'


@dataclass
class ListKeeper:
    found: list[Kept] = field(default_factory=list)

    def keep(self, kept: Kept) -> None:
        self.found.append(kept)


def keeping(**policy: object) -> Pipeline:
    said = {"name": "p", "benefit": "off", "params": PARAMS, "keep_texts": True, **policy}
    patient = load_config(None, {}, {"compressor.deadline_ms": 20_000})
    return pipeline(policy_set(said), PureCompressor(), config=patient)


async def kept(running: Pipeline, body: bytes, headers: RawHeaders | None = None) -> list[Kept]:
    keeper, client, upstream = ListKeeper(), FakeClient(body), FakeUpstream(ANSWER)
    services = replace(running.services, upstreams={"openai": upstream}, keeper=keeper)  # type: ignore[arg-type]  # a fake
    await handle(incoming(headers or []), client.receive, client.send, services, CHAT_COMPLETIONS)
    assert client.sent[0]["status"] == 200
    return keeper.found


async def test_a_request_is_kept_as_it_came_with_what_became_of_it() -> None:
    running = keeping()
    [one] = await kept(running, chat(TEXT))
    [entry] = running.ledger.entries
    assert one.body == chat(TEXT)
    assert (one.id, one.model, one.upstream, one.dialect) == (
        entry.id,
        "gpt-4o",
        "openai",
        "chat_completions",
    )
    assert one.sent is not None
    assert one.sent[0].is_cut


@pytest.mark.parametrize("mode", ["shadow", "off"])
async def test_what_went_on_as_it_came_is_kept_too(mode: str) -> None:
    [one] = await kept(keeping(mode=mode), chat(TEXT))
    assert (one.body, one.sent) == (chat(TEXT), None)


async def test_nothing_is_kept_by_default_nor_of_clients_who_opt_out() -> None:
    assert await kept(keeping(keep_texts=False), chat(TEXT)) == []
    assert await kept(keeping(), chat(TEXT), [(b"x-pith-mode", b"off")]) == []
    assert await kept(keeping(), b"no json") == []


async def test_a_keeper_that_fails_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    running, client = keeping(), FakeClient(chat(TEXT))
    services = replace(running.services, upstreams={"openai": FakeUpstream(ANSWER)}, keeper=object())  # type: ignore[arg-type]  # no keeper at all
    await handle(incoming([]), client.receive, client.send, services, CHAT_COMPLETIONS)
    assert client.sent[0]["status"] == 200
    assert "what is done beside a request failed" in caplog.text
