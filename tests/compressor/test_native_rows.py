"""The quirks of LLMLingua-2, by number: compat has each, native none.

One check a row of the table in docs/compression.md, on tiny models of both families, where it is apt on the
model-free scorer too. `ours.ask` is the package's own answer (see test_llmlingua2), its probabilities changed
where a row is about what becomes of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Any, cast

import numpy as np
import pytest

from compressor.compat_chunks import ROW_TOKENS, Rows, batches
from compressor.compat_prompt import CL100K, Prompt, PromptOptions
from compressor.flow import ScoreRequest, advance, flow
from compressor.llmlingua2 import Probs
from compressor.params import CompressionParams
from compressor.scorers.classifier import ClassifierScorer, Row
from compressor.scorers.frequency import FrequencyScorer
from compressor.tokens import counter
from compressor.types import SCORE_ONE, Compressed, Scorer, Scores, Words
from compressor.words import split
from tests.compressor.compat import models, ours
from tests.compressor.compat.cases import Case
from tests.compressor.compat.texts import CORPUS
from tests.compressor.plain_prose import prose
from tests.tracked import ROOT

XLM_ROBERTA, BERT = models.FAMILIES
NUMBERS = ("COVID-19", "$5.00", "Q3", "2024", "3.14", "v1.2.3-rc1")
FIGURES = "The COVID-19 test cost $5.00 in Q3 2024, at a ratio of 3.14, says the report of v1.2.3-rc1."
CHINESE = "会议于中午开始大家同意报告应在星期五之前完成"


@dataclass(frozen=True)
class Bench:
    """One family's model, asked both ways."""

    family: str
    scorer: ClassifierScorer

    def compat(
        self, text: str | list[str], change: Callable[[Probs], Probs] = lambda probs: probs, **options: Any
    ) -> Prompt:
        return ours.ask(self.scorer, Case((), text, PromptOptions(**options)), change)

    def raises(self, error: type[Exception], text: str | list[str], **options: Any) -> None:
        with pytest.raises(error):
            self.compat(text, **options)

    def natives(self, text: str, **params: Any) -> list[Compressed]:
        """By this model and without one."""
        scorers: tuple[Scorer, ...] = (self.scorer, FrequencyScorer())
        return [compressed(text, partial(scores_of, scorer, text), **params) for scorer in scorers]


def scores_of(scorer: Scorer, text: str, words: Words) -> Scores:
    chunks = scorer.encode(text, words)
    return scorer.merge(words, chunks, scorer.forward(chunks))


def compressed(text: str, score: Callable[[Words], Scores], **params: Any) -> Compressed:
    """By native, whatever structure the text has."""
    steps = flow(text, CompressionParams(structure_guard=False, **params))
    step = advance(steps, None)
    if isinstance(step, ScoreRequest):
        step = advance(steps, score(step.words))
    return cast(Compressed, step)


def words_of(text: str) -> list[str]:
    words = split(text)
    return [text[start:end] for start, end in zip(words.starts, words.ends, strict=True)]


def payloads(bench: Bench, text: str) -> list[Row]:
    return [cast(Row, chunk.payload) for chunk in bench.scorer.encode(text, split(text))]


def every(value: float) -> Callable[[Probs], Probs]:
    """All probabilities the same."""
    return lambda probs: [np.full_like(one, value) for one in probs]


def row_1(bench: Bench) -> None:
    """XLM-RoBERTa is given the unknown token for <s>, </s> and <pad>."""
    [batch] = batches(["the report"], bench.scorer.compat)
    ids = cast(Rows, batch.payload).ids[0]
    vocabulary = bench.scorer.compat
    begin, end = ("<s>", "</s>") if bench.family == XLM_ROBERTA else ("[CLS]", "[SEP]")
    if bench.family == XLM_ROBERTA:
        assert {int(ids[0]), int(ids[-1])} == set(vocabulary.ids(["<unk>"]))
    [row] = payloads(bench, "the report")
    assert [int(row.ids[0]), int(row.ids[-1])] == vocabulary.ids([begin, end])


def row_2(bench: Bench) -> None:
    """A threshold of its own for each 512 tokens: what is dull keeps as much as what is not."""
    text = prose("en", 1400)

    def rising(probs: Probs) -> Probs:
        n = sum(len(one) for one in probs)
        return list(
            np.split(np.linspace(0, 1, n, dtype=np.float32), np.cumsum([len(one) for one in probs])[:-1])
        )

    labels = bench.compat(text, rising, rate=0.5, return_word_label=True).fn_labeled_original_prompt
    flags = np.array([int(line[-1]) for line in (labels or "").split("\t\t|\t\t")])
    one, two = (part.mean() for part in np.array_split(flags, 2))
    assert abs(one - two) < 0.2
    result = compressed(text, lambda words: np.linspace(0, SCORE_ONE, len(words)).astype(np.uint16), rate=0.5)
    kept = np.zeros(len(text))
    for start, end in result.kept.tolist():
        kept[start:end] = 1
    low, high = (part.mean() for part in np.array_split(kept, 2))
    assert 0.05 < low < 0.3 < 0.7 < high


def row_3(bench: Bench) -> None:
    """Numbers are raised, not kept."""
    prompt = bench.compat(FIGURES, rate=0.3, force_reserve_digit=True).compressed_prompt
    assert any(number not in prompt for number in NUMBERS)
    for result in bench.natives(FIGURES, rate=0.05):
        assert all(number in result.text for number in NUMBERS)


def row_4(bench: Bench) -> None:
    """A forced token loses its force to the pieces that go on with its word."""
    text = "the compression should be finished by noon"
    tokens = bench.scorer.compat.tokenize(text)
    word = slice(2, 2 + len(bench.scorer.compat.tokenize("compression")))  # behind [CLS] and "the"
    assert [token.lstrip("▁") for token in tokens[:2]] == ["the", "comp"]

    def low(probs: Probs) -> Probs:
        values = np.full_like(probs[0], 0.9)
        values[word] = 0.0
        return [values]

    assert "comp" not in bench.compat(text, low, rate=0.5, force_tokens=("comp",)).compressed_prompt
    for result in bench.natives(text, rate=0.05, force_tokens=("comp",)):
        assert "compression" in result.text


def row_5(bench: Bench) -> None:
    """A newline survives if forced, with a blank behind it; indentation and tabs never do."""
    text = "the report:\n    should be\tfinished\n\tby noon and everyone agreed on that"
    prompt = bench.compat(text, rate=0.9, force_tokens=("\n",)).compressed_prompt
    assert "\n " in prompt
    assert "\t" not in prompt
    for result in bench.natives(text, rate=0.7):
        assert result.text.count("\n") == 2
        for line, indentation in zip(result.text.split("\n"), ("", "    ", "\t"), strict=True):
            assert not line or line.startswith(indentation)
            assert line == line.rstrip()


def row_6(bench: Bench) -> None:
    """Rate 1 rewrites: blanks, full-width letters, ligatures."""
    text = "the  report ｃｏｓｔ ½ of the ﬁne, ①"
    assert bench.compat(text, rate=1.0).compressed_prompt != text
    for result in bench.natives(text, rate=1.0):
        assert result.text == text
    for result in bench.natives(text, rate=0.5):
        rest = iter(text)
        assert all(char in rest for char in result.text)


def row_7(bench: Bench) -> None:
    """mBERT puts blanks around punctuation."""
    text = "the state-of-the-art report costs $5.00 at https://example.org/a.b?c=1, see the report"
    prompt = bench.compat(text, rate=1.0).compressed_prompt
    if bench.family == BERT:
        assert "state - of - the - art" in prompt
        assert "https : / /" in prompt
    for result in bench.natives(text, rate=0.6):
        assert set(words_of(result.text)) <= set(words_of(text))


def row_8(bench: Bench) -> None:
    """Chunks are glued together, and words cut by their ends."""
    text = "the report should be finished " * 300
    known = set(words_of(text))
    assert not set(words_of(bench.compat(text, rate=1.0).compressed_prompt)) <= known
    for rate in (0.5, 1.0):
        for result in bench.natives(text, rate=rate):
            assert set(words_of(result.text)) <= known
    rows = payloads(bench, text)
    assert len(rows) > 2
    assert np.concatenate([row.starts for row in rows]).tolist() == sorted(
        {at for row in rows for at in row.starts.tolist()}
    )
    for row in rows:
        assert len(row.ids) <= ROW_TOKENS
        assert (
            int(row.starts[0]) == 0 or text[int(row.starts[0]) - 1 : int(row.starts[0]) + 1].count(" ") == 1
        )


def row_9(bench: Bench) -> None:
    """A Chinese clause is one word to XLM-RoBERTa, and as many as it has characters to mBERT."""
    labels = bench.compat(CHINESE, rate=0.5, return_word_label=True).fn_labeled_original_prompt
    assert labels is not None
    n_words = len(labels.split("\t\t|\t\t"))
    assert n_words in ((1, 2) if bench.family == XLM_ROBERTA else (len(CHINESE),))
    assert len(CHINESE) / 4 < len(words_of(CHINESE)) < len(CHINESE)
    for text, gap in ((CHINESE + "。", 0), ("会議は正午に始まりました。報告書は金曜日までに仕上げます。", 0)):
        for result in bench.natives(text, rate=0.5):
            assert result.skip is None
            assert result.text.count(" ") == gap
    korean = "보고서는 금요일까지 끝내야 합니다 그리고 회의는 열두 시에 시작했습니다"
    thai = "การประชุม เริ่มตอนเที่ยง ทุกคนเห็นด้วย รายงาน ควรเสร็จ ภายในวันศุกร์"
    for text in (korean, thai):
        for result in bench.natives(text, rate=0.5, force_reserve_digit=False):
            assert set(result.text.split()) < set(text.split())


def row_10(bench: Bench) -> None:
    """What the vocabulary lacks goes."""
    text = "the report 😀 should be 졌 finished by noon"
    prompt = bench.compat(text, rate=0.99).compressed_prompt
    assert not {"😀", "졌"} & set(prompt)
    words = split(text)
    scores = scores_of(bench.scorer, text, words)
    at = words_of(text).index("😀")
    assert not payloads(bench, text)[0].is_known.all()
    assert scores[at] in (scores[at - 1], scores[at + 1])
    best = np.zeros(len(words), np.uint16)
    best[at - 1 : at + 2] = 9
    assert "report 😀 should" in compressed(text, lambda words: best, rate=0.4).text
    assert (scores_of(bench.scorer, "😀 졌", split("😀 졌")) == SCORE_ONE).all()


def row_11(bench: Bench) -> None:
    """Words are weighed as if each stood alone, "▁" and all."""
    text = "Hello, state-of-the-art world, said the committee of the municipality on Wednesday."
    count = counter(CL100K)
    if bench.family == XLM_ROBERTA:
        assert count.count("▁Hello") == 3
    labels = bench.compat(text, rate=0.5, return_word_label=True).fn_labeled_original_prompt
    assert labels is not None
    weighed = [line.rsplit(" ", 1)[0] for line in labels.split("\t\t|\t\t")]
    assert sum(count.count_strictly(word) for word in weighed) != count.count(text)
    for encoding in ("cl100k_base", "o200k_base"):
        of_words = counter(encoding).weigh(counter(encoding).encode(text), split(text))
        assert int(of_words.sum()) == counter(encoding).count(text)
        assert of_words[0] == 1


def row_12(bench: Bench) -> None:
    """Quantiles on a grid of whole percents and two more, nothing for ties, exceptions for empty texts."""
    assert [int(100 * (1 - rate) + 1) for rate in (0.8, 0.9, 0.7)] == [20, 10, 31]
    bench.raises(ValueError, "the report", rate=0)
    bench.raises(ZeroDivisionError, "", target_token=5)
    assert bench.compat("the report should be finished", every(0.5), rate=0.9).compressed_prompt == ""
    text = " ".join(["report"] * 10)
    for rate in (0.3, 0.5, 0.8):
        tied = compressed(text, lambda words: np.full(len(words), 7, np.uint16), rate=rate)
        assert tied.text.split() == ["report"] * round(10 * rate)
    for hostile in ("", " ", "\n", "report", "."):
        for result in bench.natives(hostile, rate=0.01):
            assert result.text == hostile


def row_13(bench: Bench) -> None:
    """Control tokens spelled in a text are taken for control tokens, "<|endoftext|>" for an error."""
    bench.raises(ValueError, "say <|endoftext|> twice")
    literal = "<mask>" if bench.family == XLM_ROBERTA else "[MASK]"
    text = f"the report {literal} should be finished <|endoftext|> by noon [NEW7] says <s> and [PAD] twice"
    control = bench.scorer.compat.ids([literal])
    safe = text.replace("<|endoftext|>", "")
    assert literal not in bench.compat(safe, rate=0.99).compressed_prompt
    [row] = payloads(bench, text)
    assert not set(control) & set(row.ids[row.core_start : row.core_end].tolist())
    for result in bench.natives(
        text, rate=0.05, force_tokens=(literal, "<|endoftext|>", "[NEW7]", "<s>", "[PAD]")
    ):
        assert re.findall(r"<[^>]+>|\[\w+\]", result.text) == re.findall(r"<[^>]+>|\[\w+\]", text)


def row_14(bench: Bench) -> None:
    """Whole contexts go first, and what is left is compressed at the same rate again."""
    texts = [CORPUS[:300], CORPUS[300:600], CORPUS[700:1000]]
    filtered = bench.compat(texts, rate=0.33, use_context_level_filter=True)
    assert len(filtered.compressed_prompt_list) < len(texts)
    for text in texts:
        for result in bench.natives(text, rate=0.33):
            assert result.skip is None
            assert result.text


def row_15(bench: Bench) -> None:
    """Rows are padded to 512 tokens and tokenized twice."""
    text = "the report should be finished"
    [batch] = batches([text], bench.scorer.compat)
    assert cast(Rows, batch.payload).ids.shape == (1, ROW_TOKENS)
    [row] = payloads(bench, text)
    assert len(row.ids) == 2 + len(bench.scorer.compat.tokenize(text))
    other = bench.scorer.encode("by noon", split("by noon"))
    together = bench.scorer.forward([*bench.scorer.encode(text, split(text)), *other])
    alone = bench.scorer.forward(other)
    np.testing.assert_allclose(together[-1], alone[-1], atol=1e-5)


def row_16(bench: Bench) -> None:
    """<llmlingua> tags are read as text."""
    text = (
        "the report <llmlingua, rate=0.3, compress=False>should be finished</llmlingua> by noon and on that"
    )
    prompt = bench.compat(text, rate=0.99).compressed_prompt
    assert "lingua" in prompt.replace(" ", "")
    for result in bench.natives(text, rate=0.3, marks=True):
        assert "should be finished" in result.text
        assert "<" not in result.text


def row_17(bench: Bench) -> None:
    """Ratios come as formatted strings."""
    prompt = bench.compat("the report should be finished by noon", rate=0.5)
    assert (prompt.ratio[-1], prompt.rate[-1]) == ("x", "%")
    for result in bench.natives("the report should be finished by noon", rate=0.5):
        assert (type(result.origin_tokens), type(result.compressed_tokens)) == (int, int)
        assert result.compressed_tokens < result.origin_tokens


def row_18(bench: Bench) -> None:
    """At most 100 force tokens, replaced one after the other: their order decides."""
    many = tuple(f"w{at}" for at in range(101))
    bench.raises(AssertionError, "a text", force_tokens=many)
    text = "the report\n\nshould be finished\nby noon and everyone agreed"
    orders = [("\n", "\n\n"), ("\n\n", "\n")]
    answers = {bench.compat(text, rate=0.5, force_tokens=order).compressed_prompt for order in orders}
    assert len(answers) == 2
    for literals in (many, ("report", "rep", "port\n")):
        results = [
            {result.text for result in bench.natives(text + " w100", rate=0.2, force_tokens=order)}
            for order in (literals, literals[::-1])
        ]
        assert results[0] == results[1]
    for order in permutations(("agreed", "one agr", "every")):
        assert all(
            "everyone agreed" in result.text for result in bench.natives(text, rate=0.05, force_tokens=order)
        )


ROWS = {
    int(name.removeprefix("row_")): check
    for name, check in list(globals().items())
    if re.fullmatch(r"row_\d+", name)
}


@pytest.fixture(scope="module", params=models.FAMILIES)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    family = str(request.param)
    folder = models.build(family, tmp_path_factory.mktemp("rows"))
    return Bench(family, ClassifierScorer.load(str(folder), "cpu", "fp32"))


@pytest.mark.parametrize("row", ROWS, ids=[f"row-{row:02}" for row in ROWS])
def test_compat_has_the_quirk_and_native_has_not(row: int, bench: Bench) -> None:
    ROWS[row](bench)


def test_every_row_has_its_check_and_is_documented() -> None:
    page = (ROOT / "docs/compression.md").read_text("utf-8")
    documented = re.findall(r"^\| (\d+) \| .+ \| .+ \| `row-(\d+)` \|$", page, re.MULTILINE)
    assert [(int(row), int(check)) for row, check in documented] == [(row, row) for row in range(1, 19)]
    assert list(ROWS) == list(range(1, 19))
