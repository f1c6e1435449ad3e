"""gateway.access.scopes: what a key may do; closed where that cannot be known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.scopes import (
    check_models,
    check_named_in_path,
    check_path,
    check_policy,
    check_query,
    check_upstream,
    is_allowed,
    permitted,
    read_models,
)
from gateway.refusal import Refusal
from policies.overrides import Overrides
from tests.gateway.access.issued import issue

_, ANY = issue()
_, CHAT_ONLY = issue(paths=("/v1/chat/*", "/v1/models"))
_, GPT_ONLY = issue(models=("gpt-*",))
_, RAG_ONLY = issue(policies=("rag*",))


def refused(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Refusal) as caught:
        call(*arguments, **named)
    assert (caught.value.status, caught.value.code) == (403, "key_not_allowed")
    return caught.value.message


@given(st.text())
def test_no_globs_allow_everything(value: str) -> None:
    assert is_allowed(value, None)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
def test_a_path_of_the_keys_passes(path: str) -> None:
    check_path(CHAT_ONLY, path)
    check_path(ANY, "/anything/../else")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/embeddings",
        "/v1/models/x",
        "/v1/Chat/completions",
        "/v1/chat/../embeddings",
        "/v1/chat/./completions",
        "/v1/chat//completions",
        "/v1/chat/..",
        "/v1/chat/..\\embeddings",
        "/v1/chat/..;/embeddings",
        "/v1/chat/..;a=b/embeddings",
        "/v1/chat/%2e%2e/embeddings",  # percent-encoded twice
        "/v1/chat/..%2fembeddings",
        "/v1/chat/..\ufffdembeddings",  # bytes that are not UTF-8
        "/v1/chat/\0",
        "/v1/chat/\r\nx",
        "/v1/chat/?",
        "/v1/chat/#",
    ],
)
def test_another_path_and_one_that_could_be_shortened_does_not(path: str) -> None:
    assert "path" in refused(check_path, CHAT_ONLY, path)


def test_a_model_of_the_keys_passes_and_another_does_not() -> None:
    check_models(GPT_ONLY, ["gpt-4o", "gpt-5"])
    check_models(ANY, ["anything"])
    assert "'o3'" in refused(check_models, GPT_ONLY, ["gpt-4o", "o3"])


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"model": "gpt-4o"}, ["gpt-4o"]),
        ({"model": "gpt-4o", "models": ["o3", "o4"]}, ["gpt-4o", "o3", "o4"]),
        ({"models": ["gpt-4o"], "input": "x"}, ["gpt-4o"]),
        ({"model": "gpt-4o", "models": None}, ["gpt-4o"]),
        ({"model": ["a", "b"]}, ["a", "b"]),
        ({"model": "gpt-4o", "Model": "o3"}, ["gpt-4o", "o3"]),
        ({"MODEL\u017f": ["o3"], "model": "gpt-4o"}, ["o3", "gpt-4o"]),
        ({"model": "gpt-4o", "fallbacks": ["o3"]}, ["gpt-4o", "o3"]),
        ({"model": "gpt-4o", "content_policy_fallbacks": ["o3"], "fallbacks": []}, ["gpt-4o", "o3"]),
    ],
)
def test_the_models_of_a_body_are_read(body: dict[str, Any], models: list[str]) -> None:
    assert read_models(json.dumps(body).encode()) == models


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'"model"',
        b"not JSON",
        b'{"model": 5}',
        b'{"model": null}',
        b'{"model": {"id": "gpt-4o"}}',
        b'{"model": []}',
        b'{"model": "gpt-4o", "model": "o3"}',
        b'{"model": "gpt-4o", "mod\\u0065l": "o3"}',
        b'{"model": "gpt-4o", "models": ["gpt-4o", 5]}',
        b'{"model": "gpt-4o", "fallbacks": [{"gpt-4o": ["o3"]}]}',
        b'{"model": "gpt-4o\\ud83d"}',
        b'\xef\xbb\xbf{"model": "gpt-4o"}',
        b'--boundary\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n--boundary--',
    ],
)
def test_a_body_whose_model_cannot_be_known_is_refused(body: bytes) -> None:
    assert "cannot be read" in refused(read_models, body)


@pytest.mark.parametrize(
    "query", ["", "?x=1", "?model=gpt-realtime", "?model=gpt-a&model=gpt-b", "?deployment=gpt-a"]
)
def test_a_query_may_name_models_of_the_keys(query: str) -> None:
    check_query(GPT_ONLY, f"/v1/realtime{query}".encode())


@pytest.mark.parametrize(
    "query",
    [
        "?model=o3",
        "?model=gpt-a&model=o3",
        "?mod%65l=o3",
        "?model=",
        "?model",
        "?x=1;model=o3",
        "?MODEL=o3",
        "?model[]=o3",
        "?model=gpt-a&deployment=o3",
    ],
)
def test_a_query_may_name_no_other(query: str) -> None:
    refused(check_query, GPT_ONLY, f"/v1/realtime{query}".encode())


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions",
        "/v1beta/models/gpt-x:generateContent",
        "/v1/models",
    ],
)
def test_a_path_may_name_models_of_the_keys(path: str) -> None:
    check_named_in_path(GPT_ONLY, path)


@pytest.mark.parametrize(
    "path",
    [
        "/openai/deployments/o3/chat/completions",
        "/openai/Deployments/o3/chat/completions",
        "/deployments/gpt-4o/deployments/o3/chat",
        "/models/gpt-4o:x/models/o3:generateContent",
        "/v1/engines/o3/completions",
        "/v1beta/models/o3:generateContent",
        "/model/o3/invoke",
        "/model/o3:0/invoke",
    ],
)
def test_a_path_may_name_no_other(path: str) -> None:
    assert "'o3" in refused(check_named_in_path, GPT_ONLY, path)


def test_a_session_has_to_name_its_model() -> None:
    check_query(GPT_ONLY, b"/v1/realtime?model=gpt-realtime", is_required=True)
    assert "?model=" in refused(check_query, GPT_ONLY, b"/v1/realtime", is_required=True)


def test_a_policy_the_key_may_not_name_is_not_asked_for() -> None:
    asked = Overrides(policy="secret", rate=0.5)
    held = permitted(asked, RAG_ONLY)
    assert (held.policy, held.rate) == (None, 0.5)
    assert "'secret' is not among the policies" in held.notes[-1]


@pytest.mark.parametrize("key", [None, ANY, RAG_ONLY])
def test_any_other_stays_as_it_is(key: Any) -> None:
    for asked in (Overrides(policy="rag-2"), Overrides()):
        assert permitted(asked, key) is asked
        check_policy(key, asked.policy)
    assert "policy" in refused(check_policy, RAG_ONLY, "secret")


def test_a_virtual_key_has_nothing_to_bring_to_an_upstream_of_callers_keys() -> None:
    check_upstream(None, "openai", takes_callers_keys=True)
    check_upstream(ANY, "openai", takes_callers_keys=False)
    assert "key: env:NAME" in refused(check_upstream, ANY, "openai", takes_callers_keys=True)
