"""compressor.findings: the same whatever the rate and tokenizer; to be remembered without the text."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.analysis import Analysis, analyse, conclude, weigh
from compressor.findings import SPAN_BYTES, Findings, Found, find, forcing, of_text, subject, without_text
from compressor.params import CompressionParams, Protect, RateStep
from compressor.tokens import counter
from tests.compressor.texts import clean_texts

PARAMS = CompressionParams(force_tokens=("\n", "?"), protect=Protect(head_tokens=2, tail_tokens=3))
TEXT = "In 2026 the review did not begin before 10:00, see https://example.com/a for details of it all. " * 4


def found_in(text: str, params: CompressionParams = PARAMS) -> Findings:
    found = find(text, params)
    assert isinstance(found, Findings)
    return found


def assert_equal(one: Found | None, other: Found) -> None:
    """The same, array by array, hashes of words included."""
    if not isinstance(one, Findings) or not isinstance(other, Findings):
        assert one == other
        return
    assert one.protected_spans == other.protected_spans
    for mine, theirs in (
        (one.protected, other.protected),
        (one.forced, other.forced),
        (one.words.codes, other.words.codes),
        (one.words.starts, other.words.starts),
        (one.words.ends, other.words.ends),
        (one.words.flags, other.words.flags),
        (one.words.hashes, other.words.hashes),
        (one.layout.opening, other.layout.opening),
        (one.layout.closing, other.layout.closing),
        (one.layout.first, other.layout.first),
        (one.layout.past, other.layout.past),
    ):
        assert mine.dtype == theirs.dtype
        assert mine.tolist() == theirs.tolist()


@given(clean_texts)
def test_it_comes_back(text: str) -> None:
    assert_equal(of_text(without_text(find(text, PARAMS)), text), find(text, PARAMS))


def test_texts_left_whole_come_back() -> None:
    structured = "```\n" + "x = compute(y)\n" * 20 + "```"
    for text, reason in ((structured, "structured"), (" ", "short"), ("a@bc.de f@gh.ij", "short")):
        assert of_text(without_text(find(text, PARAMS)), text) == reason


def test_it_holds_neither_text_nor_characters() -> None:
    held = pickle.dumps(without_text(found_in(TEXT)))
    assert b"review" not in held
    assert "review".encode("utf-32-le") not in held
    assert found_in(TEXT).words.hashes[3].tobytes() not in held


def test_its_size_is_that_of_its_arrays() -> None:
    remembered = without_text(found_in("the review did begin on time and all of it was heard " * 4))
    assert isinstance(remembered, Findings)
    assert 12 * len(remembered.words) <= remembered.size_bytes < 18 * len(remembered.words)


@given(clean_texts, st.integers(0, 20), st.sampled_from(["o200k_base", "cl100k_base"]))
def test_what_is_known_already_changes_no_analysis(text: str, min_tokens: int, tokenizer: str) -> None:
    params = replace(PARAMS, min_tokens=min_tokens, tokenizer=tokenizer)
    tokens = counter(tokenizer).encode(text)
    known = of_text(without_text(find(text, replace(PARAMS, rate=0.9))), text)
    one, other = conclude(text, params, known, weigh(known, tokens, params)), analyse(text, params)
    assert one.origin_tokens == other.origin_tokens
    if not isinstance(other, Analysis):
        assert other.skip == ("short" if len(tokens) < min_tokens else getattr(one, "skip", None))
        return
    assert isinstance(one, Analysis)
    assert one.weights.tolist() == other.weights.tolist()
    assert one.protected.tolist() == other.protected.tolist()
    assert one.forced.tolist() == other.forced.tolist()


@given(
    clean_texts,
    st.builds(
        Protect,
        code=st.booleans(),
        json=st.booleans(),
        urls=st.booleans(),
        tables=st.booleans(),
        tags=st.booleans(),
    ),
    st.booleans(),
)
def test_where_something_else_is_protected_the_rest_stands(text: str, protect: Protect, guard: bool) -> None:
    known = of_text(without_text(find(text, PARAMS)), text)
    other = replace(PARAMS, protect=protect, structure_guard=guard)
    assert forcing(other) == forcing(PARAMS)
    if isinstance(known, Findings):
        assert_equal(find(text, other, known), find(text, other))


@pytest.mark.parametrize(
    "other",
    [
        replace(PARAMS, rate=0.2),
        replace(PARAMS, rates=(RateStep(0.3),)),
        replace(PARAMS, target_tokens=5),
        replace(PARAMS, threshold=0.5, min_rate=0.1, max_rate=0.9),
        replace(PARAMS, drop_consecutive=True),
        replace(PARAMS, tokenizer="cl100k_base"),
        replace(PARAMS, min_tokens=1),
        replace(PARAMS, protect=Protect(head_tokens=20, tail_tokens=0)),
    ],
)
def test_what_chooses_words_and_counts_tokens_changes_nothing(other: CompressionParams) -> None:
    assert subject(other) == subject(PARAMS)
    assert_equal(find(TEXT, other), find(TEXT, PARAMS))


@pytest.mark.parametrize(
    "other",
    [
        replace(PARAMS, structure_guard=False),
        replace(PARAMS, protect=Protect(urls=False)),
        replace(PARAMS, protect=Protect(patterns=("a+",))),
        replace(PARAMS, force_tokens=()),
        replace(PARAMS, force_reserve_digit=False),
    ],
)
def test_what_protects_and_forces_does(other: CompressionParams) -> None:
    assert subject(other) != subject(PARAMS)


switches = st.builds(
    Protect, code=st.booleans(), json=st.booleans(), tables=st.booleans(), tags=st.booleans()
)


@given(clean_texts, switches, switches)
def test_what_was_found_under_other_protection_changes_nothing(
    text: str, one: Protect, other: Protect
) -> None:
    like = find(text, replace(PARAMS, protect=one))
    asked = replace(PARAMS, protect=other)
    assert_equal(find(text, asked, like if isinstance(like, Findings) else None), find(text, asked))


def test_a_kind_that_was_looked_for_is_not_looked_for_again() -> None:
    tagged = f"<p>{TEXT}</p>"
    before = find(tagged, replace(PARAMS, protect=Protect(urls=False)))
    assert isinstance(before, Findings)
    assert set(before.kinds) == {"code", "json", "tables", "tags"}
    place = (tagged.index("review"), tagged.index("begin"))
    told = replace(before, kinds={**before.kinds, "tags": (place,)})
    after = find(tagged, PARAMS, told)
    assert isinstance(after, Findings)
    links = found_in(tagged).kinds["urls"]
    assert after.protected_spans == tuple(sorted([*links, (place[0], place[1] - 1)]))  # ends with ink
    assert after.kinds == {**told.kinds, "urls": links}


def test_spans_count_for_its_size() -> None:
    found = found_in(TEXT)
    bare = replace(found, protected_spans=(), kinds={})
    n_spans = len(found.protected_spans) + sum(map(len, found.kinds.values()))
    assert n_spans > 0
    assert found.size_bytes == bare.size_bytes + SPAN_BYTES * n_spans
