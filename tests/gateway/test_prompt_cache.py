"""What a prompt is expected to find in a provider's cache: minimum, blocks, marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt_cache import LARGEST_MINIMUM, RULES, Expected, expect

OPENAI, ANTHROPIC = RULES["openai"], RULES["anthropic"]
COUNTS = (0, 1000, 1100, 3000)


@pytest.mark.parametrize(
    ("seen", "read"),
    [(None, 0), (0, 0), (1, 0), (2, 1024), (3, 2944)],  # too short at 1,000; in blocks of 128
)
def test_automatic_caches_read_blocks_of_the_longest_prefix(seen: int | None, read: int) -> None:
    assert expect(OPENAI, COUNTS, seen) == Expected(3000, read)


def test_nobody_bills_for_writing_to_them() -> None:
    assert expect(OPENAI, COUNTS, None, mark=3).written == 0


@pytest.mark.parametrize(
    ("seen", "mark", "expected"),
    [
        (None, None, Expected(3000)),
        (None, 1, Expected(3000)),  # too short to be kept
        (None, 2, Expected(3000, 0, 1100)),
        (2, 3, Expected(3000, 1100, 1900)),
        (3, 3, Expected(3000, 3000, 0)),
        (3, 2, Expected(3000, 3000, 0)),
    ],
)
def test_marked_prompts_write_what_is_not_read(
    seen: int | None, mark: int | None, expected: Expected
) -> None:
    assert expect(ANTHROPIC, COUNTS, seen, mark) == expected


@pytest.mark.parametrize("name", sorted(RULES))
def test_no_provider_has_a_larger_minimum_than_is_assumed_of_any(name: str) -> None:
    assert 0 < RULES[name].minimum <= LARGEST_MINIMUM
    assert RULES[name].block >= 1


@given(
    st.sampled_from(sorted(RULES)),
    st.lists(st.integers(0, 10**5), min_size=2, max_size=9),
    st.data(),
)
def test_never_more_than_the_prompt(name: str, sizes: list[int], data: st.DataObject) -> None:
    counts = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    index = st.none() | st.integers(0, len(counts) - 1)
    found = expect(RULES[name], counts, data.draw(index), data.draw(index))
    assert 0 <= found.read <= found.read + found.written <= found.tokens == counts[-1]
