"""Reading the upstream's counts: what is there is kept, what is garbage is absent, nothing raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.usage import MAX_TOKENS, estimated_usage, is_absurd, output_characters, read_usage

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
usage_keys = st.sampled_from(
    [
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "prompt_cache_hit_tokens",
    ]
)
usage_like = st.recursive(
    json_values | st.integers(0, 1000),
    lambda inner: st.dictionaries(usage_keys, inner, max_size=6),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("given_usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}, Usage(10, 3)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 30,
                "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            Usage(100, 30, cached_tokens=64, reasoning_tokens=20),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4},
            Usage(9, 1, cached_tokens=4),
        ),
        # a zero is a number: it wins over a later spelling
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 0},
                "prompt_cache_hit_tokens": 4,
            },
            Usage(9, 1, cached_tokens=0),
        ),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        (
            {"prompt_tokens": 50, "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 10}},
            Usage(50, 0, cached_tokens=20, cache_write_tokens=10),
        ),
        (
            {"prompt_tokens": 50, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10},
            Usage(50, 0, cached_tokens=20, cache_write_tokens=10),
        ),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(8, 0)),  # embeddings
        ({"prompt_tokens": 8, "completion_tokens": None, "prompt_tokens_details": None}, Usage(8, 0)),
        ({"prompt_tokens": 8, "completion_tokens": "2", "completion_tokens_details": []}, Usage(8, 0)),
        ({"prompt_tokens": 8, "completion_tokens": -2}, Usage(8, 0)),
        ({"prompt_tokens": 8, "completion_tokens": MAX_TOKENS + 1}, Usage(8, 0)),
        ({"prompt_tokens": 8, "completion_tokens": 2.0}, Usage(8, 0)),
        ({"prompt_tokens": MAX_TOKENS}, Usage(MAX_TOKENS, 0)),
        # parts never exceed their whole
        (
            {"prompt_tokens": 8, "prompt_tokens_details": {"cached_tokens": 9, "cache_write_tokens": 5}},
            Usage(8, 0, cached_tokens=8),
        ),
        (
            {
                "prompt_tokens": 8,
                "completion_tokens": 2,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(8, 2, reasoning_tokens=2),
        ),
    ],
)
def test_reads_counts(given_usage: dict[str, Any], expected: Usage) -> None:
    assert read_usage(given_usage) == expected


@pytest.mark.parametrize(
    "given_usage",
    [
        None,
        [],
        "usage",
        {},
        {"completion_tokens": 5},
        {"prompt_tokens": None},
        {"prompt_tokens": True},
        {"prompt_tokens": "7"},
        {"prompt_tokens": -1},
        {"prompt_tokens": MAX_TOKENS + 1},
    ],
)
def test_without_a_prompt_count_there_is_no_usage(given_usage: object) -> None:
    assert read_usage(given_usage) is None


@given(usage_like)
def test_never_raises_and_parts_stay_within_their_whole(obj: object) -> None:
    usage = read_usage(obj)
    if usage is not None:
        assert 0 <= usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens <= MAX_TOKENS
        assert 0 <= usage.reasoning_tokens <= usage.completion_tokens <= MAX_TOKENS
        assert not usage.estimated


@pytest.mark.parametrize(
    "told",
    [
        {"prompt_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 30}},
        {
            "prompt_tokens": 100,
            "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 30}},
        },
    ],
)
def test_writes_for_an_hour_are_part_of_the_writes(told: dict[str, Any]) -> None:
    usage = read_usage({**told, "cache_creation_input_tokens": 40, "service_tier": "flex"})
    assert usage == Usage(100, 0, cache_write_tokens=40, cache_write_1h_tokens=30, service_tier="flex")
    less = read_usage({**told, "cache_creation_input_tokens": 10, "service_tier": 7})
    assert less == Usage(100, 0, cache_write_tokens=10, cache_write_1h_tokens=10)


def test_a_tier_of_a_megabyte_is_cut() -> None:
    usage = read_usage({"prompt_tokens": 1, "service_tier": "<script>" * 100_000})
    assert usage is not None
    assert len(usage.service_tier or "") == 32


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, False),
        ({"prompt_tokens": 10, "completion_tokens": 2}, False),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 10}}, False),
        ({"prompt_tokens": 10, "completion_tokens": None}, False),
        ("many", True),
        ({}, True),
        ({"prompt_tokens": -1}, True),
        ({"prompt_tokens": "10"}, True),
        ({"prompt_tokens": 10**18}, True),
        ({"prompt_tokens": 10, "completion_tokens": 1.5}, True),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}}, True),
        ({"prompt_tokens": 10, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 6}, True),
        ({"prompt_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 1}}, True),
    ],
)
def test_what_cannot_be_is_absurd(told: object, expected: bool) -> None:
    assert is_absurd(told) is expected


@given(json_values)
def test_judging_never_raises(told: object) -> None:
    assert is_absurd(told) in (True, False)


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_estimate_rounds_up_and_says_so(characters: int, tokens: int) -> None:
    assert estimated_usage(70, characters) == Usage(70, tokens, estimated=True)


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        ({"choices": [{"delta": {"content": "héllo"}}]}, 5),
        ({"choices": [{"delta": {"content": "ab"}}, {"delta": {"content": "c"}}]}, 3),
        ({"choices": [{"delta": {"reasoning_content": "abc", "content": None}}]}, 3),
        ({"choices": [{"delta": {"refusal": "no"}}]}, 2),
        (
            {
                "choices": [
                    {"delta": {"tool_calls": [{"function": {"arguments": '{"a"'}}, {"function": None}, 7]}}
                ]
            },
            4,
        ),
        ({"choices": [{"text": "older"}]}, 5),
        ({"choices": [{"delta": None}]}, 0),
        ({"choices": ["?"]}, 0),
        ({"choices": []}, 0),
        ({"choices": None}, 0),
        ({}, 0),
    ],
)
def test_counts_streamed_characters(chunk: dict[str, Any], expected: int) -> None:
    assert output_characters(chunk) == expected


@given(st.dictionaries(st.sampled_from(["choices", "delta"]), json_values))
def test_counting_characters_never_raises(chunk: dict[str, Any]) -> None:
    assert output_characters(chunk) >= 0
