"""The whole gateway on real sockets, driven by the official client: what changes, and what never does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.app import create_app
from gateway.config import load as load_config
from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.fakes import LengthScorer

LONG = " ".join(
    f"The committee of the city decided on item {i} of the long agenda, and it was fine." for i in range(60)
)
POLICY = {
    "name": "test",
    "mode": "on",
    "benefit": "off",  # single questions, too short for any provider's cache
    "params": {
        "rate": 0.5,
        "min_tokens": 50,
        "force_tokens": ["\n"],
        "protect": {"head_tokens": 0, "tail_tokens": 0},
    },
}


@dataclass
class Running:
    """A gateway under test."""

    url: str
    upstream: OpenAIUpstream
    scorer: LengthScorer
    ledger: Path

    def client(self, **options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="sk-canary", max_retries=0, **options)

    def chat(
        self, messages: list[dict[str, Any]], headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        body = {"model": "gpt-4o-mini", "messages": messages, **more}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers or {}, timeout=30)


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Running]:
    upstream, scorer = OpenAIUpstream(), LengthScorer()
    ledger = folder / "ledger.db"
    file = folder / "pith.yaml"
    with serving(upstream.app()) as upstream_port:
        config = {
            "upstreams": {"openai": {"url": f"http://127.0.0.1:{upstream_port}"}},
            "ledger": f"sqlite:///{ledger}",
            "policies": [POLICY],
            **settings,
        }
        file.write_text(json.dumps(config))  # JSON is YAML
        with serving(create_app(load_config(file, {}, {}), scorer)) as port:
            yield Running(f"http://127.0.0.1:{port}", upstream, scorer, ledger)


@pytest.fixture
def pith(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as pith:
        yield pith


def rows(ledger: Path) -> list[dict[str, Any]]:
    """The ledger's rows; to be read when the gateway has stopped."""
    with sqlite3.connect(ledger) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("select * from entries order by created_at")]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def is_subsequence(short: str, long: str) -> bool:
    rest = iter(long)
    return all(char in rest for char in short)


def test_the_official_client_gets_the_upstreams_answer_and_long_context_was_compressed(pith: Running) -> None:
    raw = pith.client().chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=[{"role": "system", "content": LONG}, {"role": "user", "content": LONG}]
    )
    assert raw.parse().choices[0].message.content == "Hello there."
    system, sent = (message["content"] for message in pith.upstream.last.json["messages"])
    assert system == LONG, "roles the policy does not name are left alone"
    assert len(sent) < 0.75 * len(LONG)
    assert is_subsequence(sent, LONG)
    for i in range(60):
        assert f" {i} " in sent, "numbers stay"
    origin, compressed = (int(raw.headers[f"x-pith-{kind}-tokens"]) for kind in ("origin", "compressed"))
    assert compressed < origin
    assert raw.headers["x-pith-policy"] == "test"
    assert raw.headers["x-pith-mode"] == "on"
    assert "x-pith-skip" not in raw.headers
    assert raw.headers["x-pith-id"].startswith("pith-")


def test_everything_but_the_compressed_text_is_forwarded_byte_for_byte(pith: Running) -> None:
    literal = json.dumps(LONG).replace("committee", "commit\\u0074ee")
    body = (
        '{ "model":"gpt-4o-mini","temperature": 1.10,"seed":1E2 ,"x_unknown":[1, 2,{"a":null}],\n'
        '"messages":[{"role":"user","content":[{"type":"text","text":%s},{"type":"image_url","image_url":{"url":"data:,"}}]},'
        '{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",'
        '"function":{"name":"f","arguments":"{\\"a\\": 1.0}"}}]}]}'
    )
    httpx.post(f"{pith.url}/v1/chat/completions", content=(body % literal).encode())
    before, after = (part.encode() for part in body.split("%s"))
    sent = pith.upstream.last.body
    assert sent.startswith(before)
    assert sent.endswith(after)
    text = sent[len(before) : len(sent) - len(after)]
    assert len(text) < len(literal)
    assert b"commit\\u0074ee" in text, "kept characters keep their spelling"
    assert b"committee" not in text


def test_growing_conversations_keep_their_prefix(pith: Running) -> None:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    before: list[Any] = []
    for turn in range(4):
        messages += [user(f"{LONG} Question {turn}?")]
        pith.chat(messages)
        sent = pith.upstream.last.json["messages"]
        assert sent[: len(before)] == before, "what was forwarded once is forwarded again (law 4)"
        before = sent
        messages += [{"role": "assistant", "content": "Hello there."}]
    assert pith.scorer.n_texts == 4, "each text is scored once"


def test_recorded_scores_are_said(pith: Running) -> None:
    assert pith.chat([user(LONG)]).headers["x-pith-cache"] == "miss"
    assert pith.chat([user(LONG)]).headers["x-pith-cache"] == "hit"
    assert pith.chat([user(LONG), user(LONG + " more")]).headers["x-pith-cache"] == "partial"


@pytest.mark.parametrize("asks", [False, True])
def test_usage_of_a_stream_is_asked_for_and_hidden_from_who_did_not_ask(tmp_path: Path, asks: bool) -> None:
    with running(tmp_path) as pith:
        options = {"stream_options": {"include_usage": True}} if asks else {}
        stream = pith.client().chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": LONG}],
            stream=True,
            **options,  # type: ignore[call-overload]  # options vary
        )
        chunks = list(stream)
        assert pith.upstream.last.json["stream_options"] == {"include_usage": True}
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello there."
    )
    assert any(chunk.usage for chunk in chunks) == asks
    [row] = rows(tmp_path / "ledger.db")
    assert (row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]) == (1200, 400, 40)


def test_one_row_a_request_with_counts_and_money(tmp_path: Path) -> None:
    with running(tmp_path) as pith:
        pith.chat([user(LONG)])
        httpx.get(f"{pith.url}/v1/models")
    chat, models = rows(tmp_path / "ledger.db")
    assert chat["model"] == "gpt-4o-mini"
    assert chat["policy"] == "test"
    assert chat["status"] == 200
    assert chat["origin_tokens"] > chat["compressed_tokens"]
    assert chat["cost_usd"] > 0
    assert chat["saved_usd"] > 0
    assert json.loads(chat["timing_ms"])["total"] > 0
    assert (models["path"], models["model"]) == ("/v1/models", None)
    text = (tmp_path / "ledger.db").read_bytes()
    assert b"committee" not in text
    assert b"sk-canary" not in text


def test_answers_of_other_endpoints_are_not_read(tmp_path: Path) -> None:
    with running(tmp_path) as pith:
        httpx.post(f"{pith.url}/v1/embeddings", json={"model": "text-embedding-3-small", "input": LONG})
    [row] = rows(tmp_path / "ledger.db")
    assert (row["path"], row["status"], row["prompt_tokens"]) == ("/v1/embeddings", 200, None)


def test_shadow_records_and_forwards_the_original(tmp_path: Path) -> None:
    with running(tmp_path, mode="shadow") as pith:
        answer = pith.chat([user(LONG)])
        assert pith.upstream.last.json["messages"] == [user(LONG)]
        assert answer.headers["x-pith-mode"] == "shadow"
    [row] = rows(tmp_path / "ledger.db")
    assert row["compressed_tokens"] < row["origin_tokens"]
    assert row["saved_usd"] == 0


def test_off_changes_nothing_at_all(tmp_path: Path) -> None:
    with running(tmp_path, mode="off") as pith:
        body = json.dumps({"stream": True, "model": "gpt-4o", "messages": [user(LONG)]}).encode()
        answer = httpx.post(f"{pith.url}/v1/chat/completions", content=body)
        assert pith.upstream.last.body == body
        assert answer.headers["x-pith-skip"] == "off"


@pytest.mark.parametrize(
    ("headers", "skip"), [({"x-pith-mode": "off"}, "opted_out"), ({"content-encoding": "gzip"}, "unparsable")]
)
def test_requests_that_opt_out_or_cannot_be_read_go_as_they_came(
    pith: Running, headers: dict[str, str], skip: str
) -> None:
    body = json.dumps({"model": "gpt-4o", "messages": [user(LONG)]}).encode()
    answer = httpx.post(f"{pith.url}/v1/chat/completions", content=body, headers=headers)
    assert pith.upstream.last.body == body
    assert answer.headers["x-pith-skip"] == skip
    assert not any(name.startswith("x-pith") for name, _ in pith.upstream.last.headers)


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b'{"model":"m","messages":[{"role":"user","content":"a"}],"messages":[]}',
        b'{"model":"m","messages":[{"role":"user","content":' + b"[" * 5000 + b"]" * 5000 + b"}]}",
        b'{"messages":"nope"}',
        b"",
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    ],
)
def test_strange_bodies_are_the_upstreams_to_judge(pith: Running, body: bytes) -> None:
    httpx.post(f"{pith.url}/v1/chat/completions", content=body)
    assert pith.upstream.last.body == body


def test_a_body_over_the_limit_streams_through(tmp_path: Path) -> None:
    with running(tmp_path, max_body_bytes=4096) as pith:
        body = json.dumps({"model": "m", "messages": [user(LONG * 20)]}).encode()
        answer = httpx.post(f"{pith.url}/v1/chat/completions", content=body)
        assert pith.upstream.last.body == body
        assert answer.headers["x-pith-skip"] == "too_large"


def test_a_dead_scorer_costs_savings_only_and_the_conversation_stays_whole(pith: Running) -> None:
    pith.scorer.error = RuntimeError("device lost")
    answer = pith.chat([user(LONG)])
    assert answer.status_code == 200
    assert pith.upstream.last.json["messages"] == [user(LONG)]
    assert answer.headers["x-pith-skip"] == "scorer_down"
    ready = httpx.get(f"{pith.url}/pith/readyz")
    assert ready.status_code == 200
    assert any("scorer" in line for line in ready.json()["degraded"])
    pith.scorer.error = None
    pith.chat([user(LONG), user("and?")])
    assert pith.upstream.last.json["messages"][0] == user(LONG), "left whole once, left whole afterwards"
    pith.chat([user(LONG + "!")])
    assert pith.upstream.last.json["messages"] != [user(LONG + "!")], "another conversation is compressed"


def test_errors_of_the_upstream_reach_the_client_as_they_are(pith: Running) -> None:
    with pytest.raises(openai.BadRequestError, match="not JSON"):
        pith.client().post("/chat/completions", cast_to=object, content=b"{")


def test_compress_endpoint_answers_as_documented(pith: Running) -> None:
    answer = httpx.post(
        f"{pith.url}/pith/v1/compress", json={"texts": [LONG, "hi"], "params": {"rate": 0.5}}
    ).json()
    long, short = answer["results"]
    assert long["text"] == "".join(LONG[start:end] for start, end in long["kept"])
    assert long["compressed_tokens"] < long["origin_tokens"]
    assert short == {
        "text": "hi",
        "origin_tokens": 1,
        "compressed_tokens": 1,
        "kept": [[0, 2]],
        "skip": "no_gain",
    }
    request = {"model": "gpt-4o", "messages": [user(LONG)]}
    whole = httpx.post(f"{pith.url}/pith/v1/compress", json={"request": request, "policy": "test"}).json()
    assert whole["request"]["messages"][0]["content"] == whole["results"][0]["text"] != LONG
    assert whole["decision"]["policy"] == "test"


def test_explain_endpoint_tells_the_fate_of_every_word(pith: Running) -> None:
    [result] = httpx.post(f"{pith.url}/pith/v1/explain", json={"texts": [LONG]}).json()["results"]
    fates = {LONG[start:end]: fate for start, end, _, fate in result["words"]}
    assert fates["59"] == "forced"
    assert fates["committee"] == "kept"
    assert fates["of"] == "dropped"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b'{"texts": "one"}', "texts must be a list"),
        (b'{"texts": [], "params": {"rate": 7}}', "rate"),
        (b'{"request": {}, "dialect": "morse"}', "morse"),
    ],
)
def test_bad_input_to_our_endpoints_is_explained(pith: Running, body: bytes, said: str) -> None:
    answer = httpx.post(f"{pith.url}/pith/v1/compress", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_unknown_pith_paths_are_ours_to_refuse(pith: Running) -> None:
    answer = httpx.get(f"{pith.url}/pith/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert pith.upstream.received == []


@pytest.mark.parametrize("mode", ["on", "shadow", "off"])
def test_marks_are_taken_out_in_every_mode(tmp_path: Path, mode: str) -> None:
    marked = {**POLICY, "mode": mode, "params": {**POLICY["params"], "marks": ["user"]}}  # type: ignore[dict-item]  # a literal
    with running(tmp_path, policies=[marked]) as pith:
        text = f"<pith keep>{LONG}</pith> {LONG}"
        pith.chat([user(text), {"role": "assistant", "content": "<pith keep>quoted</pith>"}])
        sent, other = (message["content"] for message in pith.upstream.last.json["messages"])
    assert sent.startswith(LONG), "what is marked is kept"
    assert (len(sent) < 2 * len(LONG)) == (mode == "on")
    assert other == "<pith keep>quoted</pith>", "roles without marks keep the letters"
