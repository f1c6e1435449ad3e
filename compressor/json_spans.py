"""Where JSON is: whole objects and arrays inside a text, and such as are cut off at the text's end or, inside
a string, at the end of a line ("... (truncated)" follows).

Linear in the text: brackets are paired with a stack over strings and brackets only, then the span is checked
by a JSON parser; what fails is charged to a budget of twice the text's length; beyond it failures are skipped
rather than looked into.
"""

from __future__ import annotations

import re

import orjson

from compressor.types import Span

_START = re.compile(r'[{\[]\s*+[\[{}"\-0-9tfn]')
_TOKEN = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+\\?+("?)|[\[\]{}]')
_PARTS = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+\\?+"?|[\[\]{},]')
_KEY = re.compile(r'"\s*+:')
_CLOSER = {"{": "}", "[": "]"}
_FEWEST_ITEMS = 3
_FEWEST_KEYS_CUT = 2
"""A cut-off document needs so many keys to be taken for JSON."""
_BUDGET = 2


def json_spans(text: str) -> list[Span]:
    """Spans of JSON documents, in order."""
    spans: list[Span] = []
    if "{" not in text and "[" not in text:
        return spans
    at, budget = 0, _BUDGET * len(text)
    while match := _START.search(text, at):
        start = match.start()
        end, is_cut = _closing(text, start)
        is_whole = not is_cut and _is_json(text[start:end])
        is_cut |= text[end : end + 1] == "\n"
        if is_whole or (is_cut and _is_cut_json(text, start, end)):
            spans.append((start, end))
            at = end
            continue
        budget -= end - start
        at = start + 1 if budget > 0 else max(end, start + 1)
    return spans


def _closing(text: str, start: int) -> tuple[int, bool]:
    """Where the bracket at `start` closes or the form breaks, and whether the text ended before either."""
    stack: list[str] = []
    for match in _TOKEN.finditer(text, start):
        token = match[0]
        if token in _CLOSER:
            stack.append(_CLOSER[token])
        elif token[0] == '"':
            if not match[1]:
                return match.end(), match.end() == len(text)
        elif stack.pop() != token or not stack:
            return match.end(), False
    return len(text), True


def _is_json(document: str) -> bool:
    """Does it parse, and is it more than a citation mark like [1]?"""
    value = _parsed(document)
    if isinstance(value, dict):
        return len(value) > 0
    return isinstance(value, list) and (
        len(value) >= _FEWEST_ITEMS or any(isinstance(x, dict) for x in value)
    )


def _parsed(document: str) -> object:
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        return None


def _is_cut_json(text: str, start: int, end: int) -> bool:
    """Does what is there, up to its last complete part, parse once its open brackets are closed?"""
    if len(_KEY.findall(text, start, end)) < _FEWEST_KEYS_CUT:
        return False
    complete = start
    for match in _PARTS.finditer(text, start, end):
        part = match[0]
        if part == ",":
            complete = match.start()
        elif part in "]}":
            complete = match.end()
    return _parsed(text[start:complete] + _closers(text, start, complete)) is not None


def _closers(text: str, start: int, end: int) -> str:
    """What closes the brackets that are open at `end`. Not kept up to date on the way: that is quadratic."""
    stack: list[str] = []
    for match in _PARTS.finditer(text, start, end):
        part = match[0]
        if part in _CLOSER:
            stack.append(_CLOSER[part])
        elif part[0] not in '",':
            stack.pop()
    return "".join(reversed(stack))
