"""What can be left out of structured context without loss, where the parameters ask for it: spans to cut.

- White space between the tokens of a JSON document that is spread over lines: a parser reads the same value.
- A long block of lines that stands earlier, character for character: only its first occurrence stays; but
  what is in the head or the tail that is protected stays there as well.

Everything outside those spans stays as it is, and so does what a pattern of the user's matches. Pure and
linear in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from compressor.code_spans import fences
from compressor.json_spans import json_spans
from compressor.lines import Lines
from compressor.marks import Marked
from compressor.params import CompressionParams
from compressor.patterns import pattern_spans
from compressor.render import slice_text
from compressor.spans import union
from compressor.tokens import counter
from compressor.types import Span, Words
from compressor.words import split

LONG_BLOCK = 200
"""Characters, from which on a repeated block counts as long."""

_NEWLINE = re.compile("\n")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[ \t\r\n]+')


def read(text: str, params: CompressionParams) -> Marked | None:
    """The text without what `params` allow to leave out; None where there is nothing of it."""
    cuts = layout_of_json(text) if params.minify_json else []
    if params.drop_repeats:
        words = split(text)
        if found := repeats(text, words):
            room = _between(text, words, params)
            cuts += found if room == (0, len(text)) else repeats(text, words, room)
    cuts = _outside(cuts, union(pattern_spans(text, params.protect.patterns))) if cuts else cuts
    if not cuts:
        return None
    edges = np.array(union(cuts), np.int32).ravel()
    visible = np.append(np.insert(edges, 0, 0), np.int32(len(text))).reshape(-1, 2)
    visible = visible[visible[:, 0] < visible[:, 1]]
    return Marked(slice_text(text, visible), visible)


def layout_of_json(text: str) -> list[Span]:
    """The white space that JSON documents of several lines are laid out with; in order, disjoint."""
    spans: list[Span] = []
    for start, end in json_spans(text):
        if "\n" in text[start:end] and _is_whole(text[start:end]):
            spans.extend(token.span() for token in _TOKEN.finditer(text, start, end) if token[0][0] != '"')
    return spans


def repeats(text: str, words: Words, room: Span | None = None) -> list[Span]:
    """Blocks of whole lines that stand earlier in the text; in order, disjoint, all of them in `room`.

    A JSON document and a fenced block are one line here: they are left out whole or not at all.
    """
    first, last = room or (0, len(text))
    lines = list(_lines(text, union([*json_spans(text), *fences(text, Lines.of(words))])))
    first_seen: dict[str, int] = {}
    spans: list[Span] = []
    at = 0
    while (block := _long_block(text, lines, at)) is not None:
        earlier = first_seen.setdefault(block, at) if block.strip() else at  # nothing is saved by blanks
        end = _same_until(text, lines, earlier, at)
        while end > at and lines[end - 1][1] > last:
            end -= 1
        span = (lines[at][0], lines[end - 1][1])
        if end > at and first <= span[0] and span[1] - span[0] >= LONG_BLOCK:
            spans.append(span)
            at = end
        else:
            at += 1
    return spans


def _between(text: str, words: Words, params: CompressionParams) -> Span:
    """What lies between the head and the tail that are protected, by the tokens of their words."""
    protect = params.protect
    if not len(words) or not (protect.head_tokens or protect.tail_tokens):
        return 0, len(text)
    target = counter(params.tokenizer)
    tokens = target.encode(text)
    upto = np.cumsum(target.weigh(tokens, words))
    past_head = int(np.searchsorted(upto, protect.head_tokens))  # the last word that starts in the head
    tail = int(np.searchsorted(upto, len(tokens) - protect.tail_tokens, side="right"))
    begins = int(words.ends[min(past_head, len(words) - 1)]) if protect.head_tokens else 0
    ends = int(words.starts[tail]) if protect.tail_tokens and tail < len(words) else len(text)
    return begins, ends


def _outside(cuts: Sequence[Span], held: Sequence[Span]) -> list[Span]:
    """The cuts that touch nothing of what is held; `held` is in order and disjoint."""
    starts = [start for start, _ in held]
    ends = [end for _, end in held]
    return [(start, end) for start, end in cuts if bisect_right(ends, start) == bisect_left(starts, end)]


def _is_whole(document: str) -> bool:
    try:
        orjson.loads(document)
    except orjson.JSONDecodeError:
        return False
    return True


def _lines(text: str, blocks: list[Span]) -> Iterator[Span]:
    """Lines with their ends; those of one block are one."""
    rest = iter(blocks)
    block = next(rest, None)
    start = 0
    for newline in _NEWLINE.finditer(text):
        at = newline.start()
        while block is not None and block[1] - 1 <= at:
            block = next(rest, None)
        if block is None or at < block[0]:
            yield start, at + 1
            start = at + 1
    if start < len(text):
        yield start, len(text)


def _long_block(text: str, lines: Sequence[Span], at: int) -> str | None:
    """The fewest lines from there on that are long together; None where no more are."""
    for last in range(at, len(lines)):
        start, end = lines[at][0], lines[last][1]
        if end - start >= LONG_BLOCK:
            return text[start:end]
    return None


def _same_until(text: str, lines: Sequence[Span], earlier: int, at: int) -> int:
    """Where the lines from `at` on stop being those from `earlier` on, which end before `at`."""
    first = at
    while at < len(lines) and earlier < first:
        (start, end), (old_start, old_end) = lines[at], lines[earlier]
        if end - start != old_end - old_start or text[start:end] != text[old_start:old_end]:
            break
        at, earlier = at + 1, earlier + 1
    return at
