from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from compressor.params import CompressionParams, Protect, RateStep
from compressor.patterns import LONGEST_PATTERN
from policies.params import (
    PolicyParams,
    ProtectParams,
    RateRow,
    Role,
    merge,
)

ROLES: list[Role] = ["user", "tool", "system", "developer", "assistant"]


def read(**said: object) -> PolicyParams:
    return PolicyParams.model_validate(said)


def refused(**said: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**said)
    return str(caught.value.errors()[0]["msg"])


def to_compression(params: PolicyParams, role: str = "user") -> CompressionParams:
    return params.to_compression(tokenizer="cl100k_base", role=role)


def test_silence_takes_the_compressors_defaults() -> None:
    assert to_compression(PolicyParams()) == CompressionParams(tokenizer="cl100k_base")


def test_every_setting_of_the_compressor_can_be_said() -> None:
    assert {f.name for f in fields(CompressionParams)} - {"rates", "tokenizer"} == (
        set(PolicyParams.model_fields) - {"roles"}
    )
    keys = {field.alias or name for name, field in ProtectParams.model_fields.items()}
    assert keys == {f.name for f in fields(Protect)}


def test_what_is_said_arrives() -> None:
    params = read(
        threshold=0.4,
        min_rate=0.2,
        max_rate=0.9,
        roles=["user"],
        min_tokens=300,
        structure_guard=False,
        protect={"head_tokens": 1, "tail_tokens": 2, "code": False, "json": False, "patterns": [r"\d+"]},
        force_tokens=["?"],
        force_reserve_digit=False,
        drop_consecutive=True,
        marks=["user"],
    )
    assert to_compression(params) == CompressionParams(
        threshold=0.4,
        min_rate=0.2,
        max_rate=0.9,
        min_tokens=300,
        structure_guard=False,
        protect=Protect(head_tokens=1, tail_tokens=2, code=False, json=False, patterns=(r"\d+",)),
        force_tokens=("?",),
        force_reserve_digit=False,
        drop_consecutive=True,
        marks=True,
        tokenizer="cl100k_base",
    )


def test_a_rate_table() -> None:
    compression = to_compression(read(rate=[{"to_tokens": 2000, "rate": 0.8}, {"rate": 0.4}]))
    assert compression.rates == (RateStep(0.8, 2000), RateStep(0.4))
    assert [compression.rate_for(n) for n in (1, 2000, 2001)] == [0.8, 0.8, 0.4]


def test_marks_hold_for_their_roles_only() -> None:
    params = read(marks=["user"])
    assert [to_compression(params, role).marks for role in ("user", "tool", "system")] == [True, False, False]


@pytest.mark.parametrize(
    ("roles", "covered"),
    [
        (None, {"user", "tool"}),
        ([], set()),
        (["user"], {"user"}),
        (["assistant", "tool"], {"assistant", "tool"}),
        (["system"], {"system", "developer"}),
        (["developer"], {"system", "developer"}),
    ],
)
def test_roles(roles: list[str] | None, covered: set[str]) -> None:
    params = read(roles=roles)
    assert {role for role in [*ROLES, "function"] if params.covers(role)} == covered


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"rate": 0}, "rate is 0.0: must be above 0 and at most 1"),
        ({"rate": 1.01}, "rate is 1.01"),
        ({"rate": "0.5"}, "valid number"),
        ({"rate": True}, "valid number"),
        ({"rate": float("nan")}, "finite"),
        ({"rate": [{"rate": 2}]}, "rates is 2.0"),
        ({"rate": []}, "a rate table needs rows"),
        ({"rate": [{"rate": 0.5}, {"rate": 0.4}]}, "every row but the last needs to_tokens"),
        ({"rate": [{"rate": 0.5, "to_tokens": 9}, {"rate": 0.4, "to_tokens": 9}]}, "to_tokens must grow"),
        ({"target_tokens": 0}, "target_tokens is 0"),
        ({"target_tokens": 1.5}, "valid integer"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"min_rate": -0.1}, "min_rate is -0.1"),
        ({"max_rate": 1.1}, "max_rate is 1.1"),
        ({"threshold": 0.5, "min_rate": 0.9, "max_rate": 0.1}, "above max_rate"),
        ({"min_tokens": -1}, "min_tokens is -1"),
        ({"force_tokens": ["a", ""]}, "remove the empty literal"),
        ({"rate": 0.5, "threshold": 0.5}, "rate and threshold are both given"),
        ({"roles": ["function"]}, "Input should be 'user'"),
        ({"marks": ["user", "tool"]}, "written by others"),
        ({"protect": {"tail_tokens": -3}}, "protect.tail_tokens is -3"),
        ({"protect": {"patterns": ["(a"]}}, "pattern '(a' is not valid in google-re2 syntax (missing ): (a)"),
        ({"protect": {"patterns": [r"(a)\1"]}}, "back-references do not exist"),
        ({"protect": {"patterns": [""]}}, "matches nothing: remove it"),
        ({"protect": {"patterns": ["a" * (LONGEST_PATTERN + 1)]}}, "has 1001 characters, more than 1000"),
        ({"protect": {"patterns": [r"\p{L}{300}"]}}, "pattern too large"),
    ],
)
def test_refusals(said: dict[str, object], message: str) -> None:
    assert message in refused(**said)


def test_a_pattern_that_would_hang_pythons_re_is_fine_here() -> None:
    said = read(protect={"patterns": [r"(\d+)+$"]})
    assert said.to_compression(tokenizer="", role="user").protect.patterns == (r"(\d+)+$",)


def test_merge_keeps_what_is_not_overridden() -> None:
    base = read(rate=0.5, min_tokens=300, protect={"head_tokens": 64, "json": False})
    over = read(rate=0.3, protect={"tail_tokens": 9})
    assert merge(base, over) == read(
        rate=0.3, min_tokens=300, protect={"head_tokens": 64, "tail_tokens": 9, "json": False}
    )


def test_merge_adds_protection_where_there_was_none() -> None:
    over = read(protect={"tail_tokens": 9})
    assert merge(PolicyParams(), over) == over


def test_merge_replaces_the_whole_way_of_selecting() -> None:
    base = read(threshold=0.5, min_rate=0.3, max_rate=0.8)
    assert merge(base, read(rate=0.4)) == read(rate=0.4)
    assert merge(base, read(threshold=0.7)) == read(threshold=0.7, min_rate=0.3, max_rate=0.8)
    assert merge(base, read(min_rate=0.1)) == read(threshold=0.5, min_rate=0.1, max_rate=0.8)


PARAMS = st.builds(
    PolicyParams,
    rate=st.none() | st.floats(0.01, 1) | st.just((RateRow(rate=0.7, to_tokens=100), RateRow(rate=0.3))),
    min_tokens=st.none() | st.integers(0, 10**6),
    roles=st.none() | st.lists(st.sampled_from(ROLES), max_size=3).map(tuple),
    structure_guard=st.none() | st.booleans(),
    protect=st.none()
    | st.builds(ProtectParams, head_tokens=st.none() | st.integers(0, 500), json=st.none() | st.booleans()),
    force_tokens=st.none() | st.lists(st.text(min_size=1, max_size=3), max_size=3).map(tuple),
)
"""Some params, for property tests."""


@given(PARAMS)
def test_merge_with_nothing_changes_nothing(params: PolicyParams) -> None:
    assert merge(params, PolicyParams()) == params
    assert merge(PolicyParams(), params) == params
    assert merge(params, params) == params


@given(PARAMS, PARAMS)
def test_merging_keeps_params_valid(base: PolicyParams, over: PolicyParams) -> None:
    merged = merge(base, over)
    assert PolicyParams.model_validate(merged.model_dump(by_alias=True)) == merged


@given(PARAMS)
def test_the_tokenizer_is_passed_on(params: PolicyParams) -> None:
    one, other = (params.to_compression(tokenizer=name, role="user") for name in ("a", "b"))
    assert replace(one, tokenizer="b") == other
