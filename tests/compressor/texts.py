"""Texts to try laws on: words of eight languages, numbers, layout, code, and plain hostile characters."""

from __future__ import annotations

from hypothesis import strategies as st

# a table of words reads better as text than as a list
WORDS = """
the a of and meeting budget approved not never don’t quarterly revenue Kubernetes state-of-the-art however
회의는 예산을 승인하지 않았다 그리고 서울에서 3월 5만원
会议 不会 批准预算 三百二十万元 使用Python编写 承認しません データベース 第3章
nicht Prozent ne pas año não €5 -$3.50 12.5% 1,000,000 10 000 v1.2.3-rc1 2026-11-20 3:15 COVID-19 ½
foo_bar() https://example.com/a?b=1 user@example.com /usr/bin {"a":1} `x=1` <b>bold</b> | a | ... — “quoted”
""".split()  # noqa: SIM905
GAPS = (" ", " ", " ", "\n", "\n\n", "  ", "\t", "", "\r\n", "\u3000", "\n    ")

texts = st.lists(
    st.tuples(
        st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=()), max_size=6),
        st.sampled_from(GAPS),
    ),
    max_size=60,
).map(lambda pairs: "".join(word + gap for word, gap in pairs))
"""Readable and hostile texts; lone surrogates included."""

clean_texts = texts.map(lambda text: text.encode("utf-8", "replace").decode())
"""The same without lone surrogates, as anything that arrived as JSON over HTTP is."""
