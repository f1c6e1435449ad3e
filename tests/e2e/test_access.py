"""Access on real sockets: who gets in, what the official client makes of it, and what the upstream sees."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway import api
from gateway.access.keys import make_key
from gateway.access.store import KeyStore
from gateway.app import OPEN_PATHS
from tests.e2e.guarded_gateway import CHAT, PROVIDER_KEY, Guarded, guarded
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.whole_gateway import LONG, PARAMS, chat, rows
from tests.gateway.access.issued import issue

MESSAGES: Any = [{"role": "user", "content": "Hi."}]

FORM = b'{"model":"gpt-4o","x":"&model=o3&"}'
FORM_TYPE = "application/x-www-form-urlencoded"
"""JSON that a reader of forms takes for another model's."""

KEY, ENTRY = issue("search-prod", team="search")
PAST, EXPIRED = issue("past", expires=datetime(2020, 1, 1, tzinfo=UTC))
SLOW, LIMITED = issue("slow", requests_per_minute=1)
POOR, BUDGETED = issue("poor", usd_per_day=0.000001)
GPT, BOUND = issue("gpt", models=("gpt-4o*", "text-embedding-*"))
CHATTY, PATHBOUND = issue("chatty", paths=("/v1/chat/*",))
PLAIN, MODEST = issue("plain", overrides=False, policies=("test",))
KEYS = (ENTRY, EXPIRED, LIMITED, BUDGETED, BOUND, PATHBOUND, MODEST)
BAD_KEYS = {
    "none": None,
    "a caller's own": b"sk-own",
    "unknown": make_key("nobody").encode(),
    "wrong": KEY[:-1] + (b"0" if KEY[-1:] != b"0" else b"1"),
    "expired": PAST,
    "cut short": b"pith-search-prod",
}


@pytest.fixture(scope="module")
def pith(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("access"), *KEYS) as running:
        yield running


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("field", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_the_upstream_gets_its_own_key_and_never_a_virtual_one(pith: Guarded, field: str) -> None:
    value = f"Bearer {KEY.decode()}" if field == "authorization" else KEY.decode()
    assert pith.ask("POST", CHAT, json=chat("Hi."), headers={field: value}).status_code == 200
    sent = dict(pith.upstream.last.headers)
    assert PROVIDER_KEY in sent[field]
    assert not any(KEY.decode() in value for value in sent.values())


def test_the_official_client_gets_in(pith: Guarded) -> None:
    with pith.client(KEY) as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert answer.choices[0].message.content == "Hello there."


@pytest.mark.parametrize("which", BAD_KEYS)
def test_bad_keys_are_all_alike(pith: Guarded, which: str) -> None:
    before = len(pith.upstream.received)
    answer, reference = pith.chat(BAD_KEYS[which]), pith.chat(BAD_KEYS["unknown"])
    assert error(answer) == (401, "invalid_api_key")
    assert (answer.content, answer.headers) == (reference.content, reference.headers)
    with pith.client(BAD_KEYS[which] or b"x") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert caught.value.code == "invalid_api_key"
    assert len(pith.upstream.received) == before


def test_two_different_keys_are_refused(pith: Guarded) -> None:
    answer = pith.chat(KEY, headers={"x-api-key": "sk-own"})
    assert error(answer) == (401, "invalid_api_key")
    assert "differ" in answer.json()["error"]["message"]


def test_the_official_client_raises_what_it_should(pith: Guarded) -> None:
    with pith.client(GPT) as client, pytest.raises(openai.PermissionDeniedError) as denied:
        client.chat.completions.create(model="o3", messages=MESSAGES)
    assert denied.value.code == "key_not_allowed"
    with pith.client(SLOW) as client, pytest.raises(openai.RateLimitError) as limited:  # noqa: PT012  # see below
        for _ in range(3):  # a minute may begin between two
            client.models.list()
    assert limited.value.code == "rate_limit_exceeded"
    assert 1 <= int(limited.value.response.headers["retry-after"]) <= 60


def test_a_budget_ends(pith: Guarded) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with pith.client(POOR) as client, pytest.raises(openai.RateLimitError) as spent:  # noqa: PT012  # see below
        while time.monotonic() < deadline:  # until it is counted
            client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert spent.value.code == "budget_exceeded"
    assert spent.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in spent.value.response.headers


def every_path() -> Iterator[tuple[str, str]]:
    """Every registered route, what is under its prefix without one, and the upstream's."""
    for route in api.routes():
        for method in route.methods or ():
            yield method, route.path
    for path in ("/pith/v1/feedback", "/pith/", "/pith/nothing", CHAT, "/v1/models", "/", "/v1/realtime"):
        yield from ((method, path) for method in ("GET", "POST", "DELETE", "OPTIONS"))


@pytest.mark.parametrize(("method", "path"), sorted(set(every_path())))
def test_every_route_asks_for_the_same_key(pith: Guarded, method: str, path: str) -> None:
    before = len(pith.upstream.received)
    if path in OPEN_PATHS:
        assert pith.ask(method, path).status_code == 200
        return
    for bad in BAD_KEYS.values():
        assert pith.ask(method, path, bad).status_code == 401
    assert pith.ask(method, path, KEY, headers={"api-key": "sk-own"}).status_code == 401
    assert 429 in {pith.ask(method, path, SLOW).status_code for _ in range(3)}
    assert (pith.ask(method, path, CHATTY).status_code == 403) == (path != CHAT)
    assert len(pith.upstream.received) - before <= 3
    assert pith.ask(method, path, KEY).status_code not in (401, 403, 429)


def test_only_two_paths_are_open() -> None:
    assert sorted(OPEN_PATHS) == ["/pith/healthz", "/pith/readyz"]


@pytest.mark.parametrize("key", [None, PAST, CHATTY, GPT])
def test_an_upgrade_passes_the_same_gate(pith: Guarded, key: bytes | None) -> None:
    credential = b"authorization: Bearer " + key + b"\r\n" if key else b""
    with socket.create_connection(("127.0.0.1", pith.port), PATIENCE_S) as connection:
        connection.sendall(
            b"GET /v1/realtime HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + credential
            + b"\r\n"
        )
        status = connection.recv(100).split()[1]
    assert status == (b"403" if key in (CHATTY, GPT) else b"401")


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("POST", CHAT, {"json": {"model": "gpt-4o", "messages": MESSAGES}}, 200),
        ("POST", CHAT, {"json": {"model": "o3", "messages": MESSAGES}}, 403),
        ("POST", CHAT, {"json": {"messages": MESSAGES}}, 403),
        ("POST", CHAT, {"content": b'{"model":"gpt-4o","model":"o3","messages":[]}'}, 403),
        ("POST", CHAT, {"content": b"not JSON"}, 403),
        ("POST", CHAT, {"content": b"\x1f\x8b", "headers": {"content-encoding": "gzip"}}, 403),
        ("POST", CHAT, {"json": {"model": "gpt-4o", "messages": MESSAGES, "x": "y" * 70_000}}, 403),
        ("POST", CHAT, {"json": {"model": "gpt-4o", "models": ["o3"], "messages": MESSAGES}}, 403),
        ("POST", CHAT, {"json": {"model": "gpt-4o", "Model": "o3", "messages": MESSAGES}}, 403),
        ("POST", "/openai/deployments/o3/chat/completions", {"json": {"model": "gpt-4o"}}, 403),
        ("POST", "/v1/images/edits", {"content": FORM, "headers": {"content-type": FORM_TYPE}}, 403),
        ("POST", "/v1/embeddings", {"json": {"model": "text-embedding-3-small", "input": "x"}}, 200),
        ("POST", "/v1/embeddings", {"json": {"model": "o3", "input": "x"}}, 403),
        ("POST", "/v1/files", {"files": {"file": b"x"}}, 403),
        ("POST", "/v1/responses/resp_1/cancel", {}, 403),
        ("GET", "/v1/models", {}, 200),
        ("GET", "/v1/models?model=o3", {}, 403),
        ("DELETE", "/v1/files/file-1", {}, 200),
    ],
)
@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_key_bound_to_models(
    tmp_path: Path, mode: str, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    with guarded(tmp_path, BOUND, mode=mode, max_body_bytes=65_536) as pith:
        answer = pith.ask(method, path, GPT, **more)
        assert answer.status_code == status
        assert len(pith.upstream.received) == (status == 200)
        if status == 200 and "json" in more:
            assert pith.upstream.last.body == answer.request.content


def test_headers_of_a_key_without_overrides_do_not_count(pith: Guarded) -> None:
    asked = {"x-pith-mode": "shadow", "x-pith-policy": "other"}
    assert pith.chat(KEY, LONG, headers=asked).headers["x-pith-mode"] == "shadow"
    assert pith.chat(PLAIN, LONG, headers=asked).headers["x-pith-mode"] == "on"
    assert pith.chat(PLAIN, LONG, headers={"x-pith-mode": "off"}).headers["x-pith-skip"] == "opted_out"


def test_policies_see_the_key_and_a_key_sees_its_policies(tmp_path: Path) -> None:
    policies = [
        {"name": "of-key", "match": {"key": "search-*"}, "params": PARAMS},
        {"name": "of-team", "match": {"team": "search"}, "params": PARAMS},
        {"name": "rest", "params": PARAMS},
    ]
    other, other_entry = issue("other", team="search")
    nobody, nobodys_entry = issue("nobodys", policies=("rest",))
    with guarded(tmp_path, ENTRY, other_entry, nobodys_entry, policies=policies) as pith:
        names = [pith.chat(key, LONG).headers["x-pith-policy"] for key in (KEY, other, nobody)]
        assert names == ["of-key", "of-team", "rest"], "one conversation, and each key its own policy"
        asked = {"x-pith-policy": "of-key"}
        assert pith.chat(other, headers=asked).headers["x-pith-policy"] == "of-key"
        assert pith.chat(nobody, headers=asked).headers["x-pith-policy"] == "rest"
        question = {"request": {"model": "gpt-4o", "messages": MESSAGES}}
        answer = pith.ask("POST", "/pith/v1/compress", other, json=question)
        assert answer.json()["decision"]["policy"] == "of-team"
        refused = pith.ask("POST", "/pith/v1/compress", nobody, json={**question, "policy": "of-key"})
        assert error(refused) == (403, "key_not_allowed")


def test_a_team_shares_recorded_scores_and_nobody_else_does(tmp_path: Path) -> None:
    mate, mates = issue("mate", team="search")
    stranger, strangers = issue("stranger")
    with guarded(tmp_path, ENTRY, mates, strangers) as pith:
        for key, scored in ((KEY, 1), (mate, 1), (stranger, 2)):
            assert pith.chat(key, LONG).headers["x-pith-mode"] == "on"
            assert pith.scorer.n_texts == scored
    kept = [(row["key_id"], row["team"]) for row in rows(tmp_path)]
    assert kept == [("search-prod", "search"), ("mate", "search"), ("stranger", None)]


def test_a_virtual_key_does_not_go_where_callers_keys_go(tmp_path: Path) -> None:
    with guarded(tmp_path, ENTRY, takes_callers_keys=True, require_keys=False) as pith:
        answer = pith.chat(KEY)
        assert error(answer) == (403, "key_not_allowed")
        assert "key: env:NAME" in answer.json()["error"]["message"]
        assert error(pith.ask("GET", "/v1/models", KEY)) == (403, "key_not_allowed")
        assert error(pith.chat(make_key("x").encode())) == (401, "invalid_api_key")
        assert pith.upstream.received == []
        assert pith.chat(b"sk-own").status_code == 200
        assert dict(pith.upstream.last.headers)["authorization"] == "Bearer sk-own"
    assert [(row["key_id"], row["status"]) for row in rows(tmp_path)][:2] == [("search-prod", 403)] * 2


def test_keys_of_callers_pass_beside_virtual_ones(tmp_path: Path) -> None:
    with guarded(tmp_path, ENTRY, takes_callers_keys=True, require_keys=False) as pith:
        two = {"x-api-key": "sk-b", "authorization": "Bearer sk-a"}
        assert pith.ask("GET", "/v1/models", headers=two).status_code == 200
        sent = dict(pith.upstream.last.headers)
        assert (sent["x-api-key"], sent["authorization"]) == ("sk-b", "Bearer sk-a")
        assert pith.ask("GET", "/v1/models").status_code == 200


def test_a_store_that_is_away_closes_for_its_keys_alone(tmp_path: Path, unused_tcp_port: int) -> None:
    store = f"postgresql://pith:hunter2@127.0.0.1:{unused_tcp_port}/pith"
    with guarded(tmp_path, ENTRY, takes_callers_keys=True, require_keys=False, key_store=store) as pith:
        answer = pith.chat(make_key("stored").encode())
        assert error(answer) == (503, "key_store_unavailable")
        assert int(answer.headers["retry-after"]) <= 120
        assert pith.chat(b"sk-own").status_code == 200
        assert error(pith.chat(KEY)) == (403, "key_not_allowed"), "known, if of no use here"
        said = pith.ask("GET", "/pith/readyz").json()
        assert said["status"] == "degraded"
        assert [line.split(":")[0] for line in said["degraded"]] == ["keys"]
        assert "hunter2" not in str(said)


def test_a_refused_caller_that_is_known_is_on_record(tmp_path: Path) -> None:
    with guarded(tmp_path, LIMITED, BOUND, PATHBOUND) as pith:
        pith.chat(b"pith-unknown")
        for key, path in (*[(SLOW, CHAT)] * 3, (GPT, CHAT), (CHATTY, "/v1/models")):
            pith.ask("POST", path, key, json=chat("Hi.", model="o3"))
    kept = [(row["key_id"], row["status"]) for row in rows(tmp_path)]
    assert kept[0] == ("slow", 200)
    assert kept[2:] == [("slow", 429), ("gpt", 403), ("chatty", 403)]


def test_what_was_spent_before_a_restart_counts(tmp_path: Path) -> None:
    key, entry = issue("poor", usd_per_month=0.0001)
    with guarded(tmp_path, entry) as pith:
        assert pith.chat(key, model="gpt-4o").status_code == 200
    with guarded(tmp_path, entry) as pith:
        assert error(pith.chat(key)) == (429, "budget_exceeded")


def test_a_revoked_key_is_as_unknown_as_any(tmp_path: Path) -> None:
    key, entry = issue("stored")
    store = KeyStore(f"sqlite:///{tmp_path / 'keys.db'}")
    store.add(entry)
    with guarded(tmp_path, require_keys=True, key_store=f"sqlite:///{tmp_path / 'keys.db'}") as pith:
        assert pith.chat(key).status_code == 200
        store.revoke("stored")
        deadline = time.monotonic() + PATIENCE_S
        while (answer := pith.chat(key)).status_code == 200:
            assert time.monotonic() < deadline
        reference = pith.chat(BAD_KEYS["unknown"])
        assert (answer.content, answer.headers) == (reference.content, reference.headers)
