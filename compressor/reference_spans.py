"""Where URLs, mail addresses, file paths and tags are: found by their rarest character, matched in place.

Every pattern is anchored at a found character and possessive, so the work is linear in the text.
"""

from __future__ import annotations

import re

from compressor.spans import occurrences, words_at
from compressor.types import Span, Words
from compressor.words import Flag

_URL = re.compile(
    r"""[A-Za-z][A-Za-z0-9+.\-]{0,15}://(?:[A-Za-z0-9\-._~:/?#@!$&'*+,;=%|\[\]()]|(?<=[/=_\-])\w++)++"""
)
_WWW = re.compile(r"www\.[A-Za-z0-9\-]++(?:\.[A-Za-z0-9\-]++)++(?:[/?#][A-Za-z0-9\-._~:/?#@!$&'*+,;=%()]*+)?")
_LONGEST_SCHEME = 16
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_TRAILING = ".,;:!?'*)]|"
_PAIRS = {")": "(", "]": "["}
_LOCAL = re.compile(r"[\w.+\-]{1,64}\Z")
_DOMAIN = re.compile(r"@[A-Za-z0-9\-]++(?:\.[A-Za-z0-9\-]++)++")
_SEGMENT = r"[\w.\-+@%#$~]++"
_ROOTED = re.compile(rf"(?:~|\.{{1,2}}|[A-Za-z]:)?(?:/{_SEGMENT})++/?")
_RELATIVE = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})++/?")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}\Z")
_DEEP = 3
"""A relative path without extension has so many slashes at least: and/or and TCP/IP/UDP are none."""
_WINDOWS = re.compile(
    r"(?:[A-Za-z]:\\|\\\\[\w.\-]++\\)[\w.\-+@%#$()]*+(?:(?: [\w.\-()]{1,64}+){0,4}\\[\w.\-+@%#$()]*+)*+"
)
_QUOTED = re.compile(r"""(["'])(?:~|\.{1,2}|[A-Za-z]:)?[/\\][^"'<>|\n]{1,200}+\1""")
"""A path in quotes may hold blanks."""
_QUOTED_BEGINNINGS = ('"/', "'/", '"~/', "'~/", '"./', "'./", '"../', "'../", ":\\")
_NON_ASCII_TAIL = re.compile(r"[^\x00-\x7F]+\Z")
_TAG = re.compile(
    r"</?[A-Za-z][\w:.\-]*+"
    r"""(?:\s++[\w:@.\-]++(?:\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'|\{[^{}<]*+\}|[^\s"'<>=]++))?+)*+\s*+/?>"""
    r"|<![A-Za-z\[][^<>]*+>|<\?[A-Za-z][^<>]*+>"
)


def urls(text: str) -> list[Span]:
    """URLs with a scheme or www., closing punctuation left out."""
    spans: list[Span] = []
    for at in occurrences(text, "://"):
        scheme = _SCHEME.search(text, max(at - _LONGEST_SCHEME, spans[-1][1] if spans else 0), at)
        if scheme and (match := _URL.match(text, scheme.start())):
            spans.append((match.start(), _without_trailing(text, *match.span())))
    past = 0
    for at in occurrences(text, "www."):
        if at >= past and (match := _WWW.match(text, at)):
            past = match.end()
            spans.append((at, _without_trailing(text, *match.span())))
    return spans


def _without_trailing(text: str, start: int, end: int) -> int:
    """The end less the punctuation of the sentence around: brackets stay where they are opened inside."""
    surplus = {
        closer: text.count(closer, start, end) - text.count(_PAIRS[closer], start, end) for closer in _PAIRS
    }
    while end > start and (char := text[end - 1]) in _TRAILING:
        if char in _PAIRS:
            if surplus[char] <= 0:
                break
            surplus[char] -= 1
        end -= 1
    return end


def mails(text: str) -> list[Span]:
    """Mail addresses, with the angle brackets of mail headers."""
    spans = []
    past = 0
    for at in occurrences(text, "@"):
        domain = _DOMAIN.match(text, at)
        local = _LOCAL.search(text, max(at - 64, past), at) if domain else None
        if domain and local:
            start, past = local.start(), domain.end()
            is_framed = text[start - 1 : start] == "<" and text[past : past + 1] == ">"
            past += is_framed
            spans.append((start - is_framed, past))
    return spans


def paths(text: str, words: Words) -> list[Span]:
    """File paths, rooted (/usr/lib, ~/x, ./a), relative (src/main.py), Windows (C:\\Users\\me), in quotes."""
    has_slash, has_backslash = "/" in text, "\\" in text
    if not has_slash and not has_backslash:
        return []
    is_quoted = any(mark in text for mark in _QUOTED_BEGINNINGS)
    spans = [match.span() for match in _QUOTED.finditer(text)] if is_quoted else []
    if has_slash:
        holders = words_at(words, (words.codes == ord("/")).nonzero()[0])
        is_word = (words.flags[holders] & (Flag.HAS_LETTER | Flag.HAS_DIGIT)) != 0
        is_word[1:] &= holders[1:] != holders[:-1]
        holders = holders[is_word]
        for start, end in zip(words.starts[holders].tolist(), words.ends[holders].tolist(), strict=True):
            if _is_path(text[start:end]):
                spans.append((start, end))
    past = 0
    for at in occurrences(text, "\\"):
        if at < past:
            continue
        drive = at - 2 if at >= 2 and text[at - 1] == ":" else at
        if match := _WINDOWS.match(text, max(drive, past)):
            past = match.end()
            spans.append(match.span())
    return spans


def _is_path(word: str) -> bool:
    word = _NON_ASCII_TAIL.sub("", word)  # a Korean particle: src/main.py에서
    if _ROOTED.fullmatch(word):
        return not word[1:].isdigit()
    if not _RELATIVE.fullmatch(word):
        return False
    return word.count("/") >= _DEEP or _EXTENSION.search(word) is not None


def tags(text: str) -> list[Span]:
    """XML and HTML tags, comments and declarations: the markup, not what it encloses."""
    if "<" not in text:
        return []
    spans = [match.span() for match in _TAG.finditer(text)]
    at = text.find("<!--")
    while at >= 0 and (end := text.find("-->", at)) >= 0:
        spans.append((at, end + 3))
        at = text.find("<!--", end)
    return spans
