"""compressor.line_form: the cheap bound on lines of code is one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressor.line_form import LineForm, n_suspect
from compressor.lines import Lines
from compressor.words import split
from tests.compressor.texts import texts

PARTS = """
def f(x):
return x
SELECT name FROM users
$ ls -la
❯ make
@cached
<div>
a::b ?? c
name: value
name=value
KEY = 1
if x {
}
File "a.py", line 3
The committee met in May, and it was not easy.
Marta: yes
- a point
14:02:11 started
日本語の文です。
""".strip().splitlines()

lines_of_code = st.lists(st.sampled_from(PARTS).flatmap(lambda part: st.sampled_from((part, f"    {part}"))))


@given(texts | lines_of_code.map("\n".join))
def test_no_more_lines_are_clear_or_settings_than_suspect(text: str) -> None:
    words = split(text)
    if not len(words):
        return
    lines = Lines.of(words)
    form = LineForm(lines, np.zeros(len(words), np.bool_))
    found = (form.is_clear() | form.is_setting()) & ~lines.is_blank
    assert np.count_nonzero(found) <= n_suspect(text, lines)


def test_prose_is_not_suspect() -> None:
    prose = "The committee met in May (the third time), and it was not easy to agree.\n\n" * 5
    assert n_suspect(prose, Lines.of(split(prose))) == 0
