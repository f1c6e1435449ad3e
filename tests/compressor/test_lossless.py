"""What is left out without loss: a parser reads the same, and what goes stands earlier."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.lossless import LONG_BLOCK, layout_of_json, read, repeats
from compressor.params import CompressionParams, Protect
from compressor.tokens import counter
from compressor.types import Span
from compressor.words import split

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=15,
)
DOCUMENTS = st.dictionaries(st.text(min_size=1, max_size=5), VALUES, min_size=1, max_size=5)
LAYOUTS = st.sampled_from([None, 0, 1, 2, 4, "\t"])
PROSE = st.text(st.sampled_from("ab ,.\n\r\t"), max_size=30)


def without(text: str, spans: list[Span]) -> str:
    kept, at = [], 0
    for start, end in spans:
        assert at <= start < end <= len(text), "in order, disjoint and not empty"
        kept.append(text[at:start])
        at = end
    return "".join(kept) + text[at:]


@given(st.lists(st.tuples(PROSE, DOCUMENTS, LAYOUTS, st.booleans()), max_size=3), PROSE)
def test_a_parser_reads_the_same_value(parts: list[tuple[str, Any, Any, bool]], tail: str) -> None:
    text = lean = ""
    for prose, document, indent, is_ascii in parts:
        spread = json.dumps(document, indent=indent, ensure_ascii=is_ascii)
        text += prose + spread
        packed = json.dumps(document, separators=(",", ":"), ensure_ascii=is_ascii)
        lean += prose + (packed if "\n" in spread else spread)
    assert without(text + tail, layout_of_json(text + tail)) == lean + tail


@given(VALUES, LAYOUTS)
def test_a_whole_text_of_json(value: Any, indent: Any) -> None:
    text = json.dumps(value, indent=indent)
    assert json.loads(without(text, layout_of_json(text))) == value


def test_spelling_inside_stays() -> None:
    text = '{\n  "a b":  1.10,\r\n\t"c": "x\\"  y", "d": [ 1E2 , -0 ]\n}'
    assert without(text, layout_of_json(text)) == '{"a b":1.10,"c":"x\\"  y","d":[1E2,-0]}'


def test_what_is_no_whole_document_stays() -> None:
    for text in ('{\n "a": 1,\n "b": [2,\n', "{\n a: 1\n}", '{ "a": 1 }', "[\n1\n]", "plain  text\n\n  here"):
        assert layout_of_json(text) == []


def repeated(text: str) -> list[Span]:
    return repeats(text, split(text))


BLOCK = "".join(f"line {i} of the block that comes again and again\n" for i in range(8))
LINES = st.lists(
    st.sampled_from(["a\n", "b\n", "\n", "x" * 90 + "\n", "y" * 120 + "\n", "```\n", "{\n", "}\n"]),
    max_size=40,
)


def test_only_the_first_occurrence_of_a_block_stays() -> None:
    text = f"Before.\n{BLOCK}Between.\n{BLOCK}Other.\n{BLOCK[50:]}After."
    left = without(text, repeated(text))
    assert left == f"Before.\n{BLOCK}Between.\nOther.\n" + BLOCK[50:].partition("\n")[0] + "\nAfter."


def test_short_blocks_and_blank_ones_stay() -> None:
    short = "a short line\n" * 40
    blank = " \n" * 400
    assert repeated("one\ntwo\none\ntwo\n") == []
    assert without(short, repeated(short)).count("\n") <= 2 * LONG_BLOCK // 13 + 2
    assert repeated(blank) == []


def test_a_document_goes_whole_or_not_at_all() -> None:
    row = {"name": "x" * 40, "values": list(range(30))}
    document = json.dumps([row, row, row], indent=2)
    assert repeated(document) == []
    text = f"{document}\nand again:\n{document}\n"
    assert without(text, repeated(text)) == f"{document}\nand again:\n"


@given(LINES)
def test_what_goes_stands_earlier(lines: list[str]) -> None:
    text = "".join(lines)
    for start, end in repeated(text):
        gone = text[start:end]
        assert len(gone) >= LONG_BLOCK
        assert gone in text[:start]
        assert text[start - 1] == "\n", "whole lines"
        assert end == len(text) or text[end - 1] == "\n"


@given(LINES)
def test_no_line_is_lost(lines: list[str]) -> None:
    text = "".join(lines)
    assert set(re.split("\n", without(text, repeated(text)))) | {""} == set(text.split("\n")) | {""}


class Counting(str):
    """Counts the characters that are cut from it."""

    n_cut = 0

    def __getitem__(self, at: Any) -> str:
        found = super().__getitem__(at)
        self.n_cut += len(found)
        return found


LINE = "a" * LONG_BLOCK + "\n"
BEFORE_OTHERS = LINE + "b" * 100_000 + "\n" + "".join(f"{LINE}{at}\n" for at in range(300))


@pytest.mark.parametrize(
    ("text", "most"),
    [("\n" * 10_000, LONG_BLOCK), (" \n" * 5_000, LONG_BLOCK), (BEFORE_OTHERS, 10)],
    ids=["blank lines", "blanks", "what follows differs"],
)
def test_what_repeats_is_found_in_linear_time(text: str, most: int) -> None:
    counting = Counting(text)
    repeats(counting, split(text))
    assert counting.n_cut < most * len(text)


LOG_LINES = [f"Line {n} of the log says that the pump {n * 7} of hall {n % 5} was well.\n" for n in range(12)]
LOG = "".join(LOG_LINES)


def lean(text: str, **protect: Any) -> str:
    """The text without its repeats and layout."""
    params = CompressionParams(drop_repeats=True, minify_json=True, protect=Protect(**protect))
    found = read(text, params)
    return text if found is None else found.text


def test_nothing_goes_of_the_tail_that_is_protected() -> None:
    text = f"{LOG}Then it came again.\n{LOG}"
    assert lean(text) == f"{LOG}Then it came again.\n"
    for tail_tokens in (1, 40, 100):
        left = lean(text, tail_tokens=tail_tokens)
        behind = left.removeprefix(f"{LOG}Then it came again.\n")
        assert behind
        assert LOG.endswith(behind), "whole lines stay, from the tail's first on"
        assert counter("o200k_base").count(behind) >= tail_tokens
    assert lean(text, tail_tokens=10_000) == text


def test_nothing_goes_of_the_head_that_is_protected() -> None:
    text = f"{LOG}{LOG}Nothing else."
    assert lean(text, head_tokens=8) == f"{LOG}Nothing else."
    n_tokens = counter("o200k_base").count(LOG)
    left = lean(text, head_tokens=n_tokens + 30)
    assert len(f"{LOG}Nothing else.") < len(left) < len(text)
    assert left.startswith(LOG + LOG_LINES[0])
    assert lean(text, head_tokens=10_000) == text


def test_a_block_of_one_piece_is_not_cut_for_the_tail() -> None:
    document = json.dumps({"pumps": [f"pump {n} of hall {n % 5}" for n in range(40)]})
    text = f"{document}\nAgain:\n{document}\nDone."
    assert lean(text) == f"{document}\nAgain:\nDone."
    assert lean(text, tail_tokens=20) == text


def test_what_a_pattern_matches_stays_as_it_is() -> None:
    document = json.dumps({"ticket": "PUMP-7", "note": "x"}, indent=2)
    text = f"{LOG}see PUMP-7\n{LOG}{document}\n"
    assert lean(text) == f'{LOG}see PUMP-7\n{{"ticket":"PUMP-7","note":"x"}}\n'
    held = lean(text, patterns=("Line 3 of",))
    assert held.count("Line 3 of") == 2
    kept = lean(text, patterns=('"ticket": "PUMP-7"',))
    assert '"ticket": "PUMP-7"' in kept
    assert kept.endswith('{"ticket": "PUMP-7","note":"x"}\n')


@given(st.integers(0, 200), st.integers(0, 200), st.lists(st.sampled_from(LOG_LINES), max_size=40))
def test_the_head_and_the_tail_are_what_they_were(head: int, tail: int, lines: list[str]) -> None:
    text = "".join(lines)
    left = lean(text, head_tokens=head, tail_tokens=tail)
    words, target = split(text), counter("o200k_base")
    upto = np.cumsum(target.weigh(target.encode(text), words))
    n_head = int((upto - np.diff(upto, prepend=0) < head).sum())
    n_tail = int((upto > target.count(text) - tail).sum()) if tail else 0
    if n_head:
        assert left.startswith(text[: words.ends[n_head - 1]])
    if n_tail:
        assert left.endswith(text[words.starts[len(words) - n_tail] :])
