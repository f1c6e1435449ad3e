from __future__ import annotations

import pytest

from gateway.dialects.paths import DIALECTS, deployment_of, dialect_of

PATHS = {
    "/v1/chat/completions": "chat_completions",
    "/chat/completions": "chat_completions",
    "/openai/v1/chat/completions": "chat_completions",
    "/openai/deployments/my-gpt/chat/completions": "chat_completions",
    "/v1/responses": "responses",
    "/responses": "responses",
    "/openai/v1/responses": "responses",
    "/openai/responses": "responses",
    "/v1/messages": "anthropic_messages",
    "/messages": "anthropic_messages",
    "/anthropic/v1/messages": "anthropic_messages",
    "/v1/messages/count_tokens": "anthropic_messages",
}
OTHERS = (
    "/v1/completions",
    "/v1/responses/resp_1",
    "/v1/responses/resp_1/cancel",
    "/v1/chat/completions/",
    "/v1/chat/completions/chatcmpl_1",
    "/v1/messages/batches",
    "/openai/deployments/a/b/chat/completions",
    "/openai/deployments/my-gpt/completions",
    "/v2/responses",
    "/x/v1/responses",
    "/v1/chat/completions\n",
)


@pytest.mark.parametrize(("path", "name"), PATHS.items())
def test_a_post_to_such_a_path_is_read(path: str, name: str) -> None:
    dialect = dialect_of("POST", path)
    assert dialect is not None
    assert dialect.name == name
    assert dialect_of("GET", path) is None


@pytest.mark.parametrize("path", OTHERS)
def test_others_are_not(path: str) -> None:
    assert dialect_of("POST", path) is None


def test_each_dialect_is_found_by_its_name_and_path() -> None:
    for name, dialect in DIALECTS.items():
        assert (dialect.name, dialect_of("POST", dialect.path)) == (name, dialect)


def test_azure_names_the_model_in_the_path() -> None:
    assert deployment_of("/openai/deployments/my-gpt/chat/completions") == "my-gpt"
    assert deployment_of("/v1/chat/completions") is None
