"""No text raises, none loses what selection did not drop: both fidelities, both families, and no model.

The texts are what JSON can carry and no one should send. How long they may take is bounded by a deadline that
only a step that is quadratic in them can miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compressor import CompressionParams, Engine, ParamsError, Protect
from compressor.flow import ScoreRequest, advance, flow
from compressor.render import slice_text
from compressor.scorers.classifier import ClassifierScorer
from compressor.scorers.frequency import FrequencyScorer, score
from compressor.types import Chunk, Compressed, Scorer
from compressor.words import split
from tests.compressor.compat import models
from tests.compressor.fake_scorers import LengthScorer

UNITS = {
    "control tokens": "<s></s><unk><pad><mask>[CLS][SEP][PAD][UNK][MASK][NEW0][NEW99]<|endoftext|>",
    "lone surrogates": "\ud83d a \udc00\ud800 ",
    "surrogates alone": "\ud800",
    "nul": "\0 a\0b ",
    "controls": "\x1b[31m\x07\x7f\x85\u2028\u2029 a",
    "right to left": "مرحبا بالعالم שלום \u202eabc\u202c 12 ",
    "combining marks": "e\u0301\u0302 \u0301a ",
    "only marks": "\u0301",
    "zero width": "a\u200bb\u200c\u200d\ufeff \u2060",
    "joined emoji": "👨‍👩‍👧‍👦👍🏽🇰🇷 ",
    "thai": "การประชุมเริ่มตอนเที่ยง",
    "noncharacters": "\uffff\U0010ffff\ufdd0 a",
    "beyond the basic plane": "𠀀𝒜𐍈 ",
    "one letter": "a",
    "one digit": "7",
    "digits": "1,2.3 ",
    "newlines": "\n",
    "returns": "\r\r\n",
    "blanks": " ",
    "wide blanks": "\u3000\u00a0\t ",
    "brackets": "([{",
    "closed brackets": ")]}(",
    "quotes": "\"'“’",
    "backticks": "` `` ``` ",
    "fences": "```\na\n",
    "pipes": "| a |\n|-",
    "urls": "http://a.b?c=1&https:// ",
    "paths": "/usr//\\C:\\ ",
    "tags": '<a href="<b></b>< ',
    "json": '{"a":[1,{"b":"',
    "latex": "$a \\( \\begin{b} ",
    "negations": "not no neither nor 不 안 ",
    "hashes": "# - * > [ ] 1. ",
}
SIZE = 1_500
PARAMS = (
    CompressionParams(rate=0.5),
    CompressionParams(target_tokens=3, drop_consecutive=True, structure_guard=False),
    CompressionParams(
        threshold=0.4,
        force_tokens=("\n", "a", "<s>", "\ud800"),
        marks=True,
        protect=Protect(head_tokens=5, tail_tokens=5, patterns=("a.",)),
        structure_guard=False,
    ),
)
COMPAT = CompressionParams(rate=0.5, fidelity="compat")


def filled(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


TEXTS = [
    *("", " ", "\n", "\t\r\n", "\0", "\ud800", "."),
    *(filled(unit, SIZE) for unit in UNITS.values()),
    *(f"The report should be {filled(unit, 60)} finished by noon." for unit in UNITS.values()),
]


@pytest.fixture(scope="module", params=[*models.FAMILIES, "frequency"])
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    if request.param == "frequency":
        return FrequencyScorer()
    return ClassifierScorer.load(
        str(models.build(request.param, tmp_path_factory.mktemp("bad"))), "cpu", "fp32"
    )


@pytest.mark.parametrize("params", PARAMS, ids=["rate", "budget", "threshold"])
def test_what_stays_is_cut_from_the_text(scorer: Scorer, params: CompressionParams) -> None:
    results = Engine(scorer).compress_sync(TEXTS, params)
    for text, result in zip(TEXTS, results, strict=True):
        assert result.skip in (None, "short", "structured", "no_gain")
        assert slice_text(text, result.kept) == result.text
        assert result.compressed_tokens <= result.origin_tokens


def test_at_rate_1_nothing_is_lost(scorer: Scorer) -> None:
    params = CompressionParams(rate=1.0, structure_guard=False)
    assert [result.text for result in Engine(scorer).compress_sync(TEXTS, params)] == TEXTS


def test_compat_answers_or_leaves_whole(scorer: Scorer) -> None:
    if not isinstance(scorer, ClassifierScorer):
        with pytest.raises(ParamsError, match="choose weights"):
            Engine(scorer).compress_sync(TEXTS, COMPAT)
        return
    for text, result in zip(TEXTS, Engine(scorer).compress_sync(TEXTS, COMPAT), strict=True):
        assert result.skip in (None, "compat_failed")
        assert result.skip is None or result.text == text


def without_model(text: str, params: CompressionParams) -> Compressed | ScoreRequest:
    steps = flow(text, params)
    step = advance(steps, None)
    return advance(steps, score(step.words)) if isinstance(step, ScoreRequest) else step


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*UNITS.values(), "word", " ", "。"]), max_size=12), st.sampled_from(PARAMS))
def test_mixtures(parts: list[str], params: CompressionParams) -> None:
    text = "".join(parts)
    result = without_model(text, params)
    assert isinstance(result, Compressed)
    assert slice_text(text, result.kept) == result.text


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "name", ["one letter", "newlines", "brackets", "quotes", "backticks", "pipes", "json", "tags"]
)
def test_long_ones_take_linear_time(name: str) -> None:
    text = filled(UNITS[name], 400_000)
    for params in (PARAMS[0], PARAMS[2]):
        result = without_model(text, params)
        assert isinstance(result, Compressed)
        assert slice_text(text, result.kept) == result.text


class Raving(LengthScorer):
    """Answers what is no number for one of its texts."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        return [np.full_like(one, self._value) if len(one) == 1 else one for one in super().forward(batch)]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_leave_their_text_whole(value: float) -> None:
    texts = ["word", "a few more words than one"]
    engine = Engine(Raving(value))
    mad, sound = engine.compress_sync(texts, CompressionParams(rate=0.4))
    assert (mad.text, mad.skip) == ("word", "scorer_down")
    assert sound.skip is None
    assert sum(vitals.n_failed for vitals in engine.vitals().values()) == 1


@pytest.mark.parametrize("name", UNITS)
def test_words_are_found_once_and_in_order(name: str) -> None:
    text = filled(UNITS[name], 300)
    words = split(text)
    edges = np.stack((words.starts, words.ends), axis=1).reshape(-1)
    assert (np.diff(edges) >= 0).all()
    assert (words.starts < words.ends).all()
    between = map(
        partial(slice_text, text), np.split(np.append(0, [*edges, len(text)]).reshape(-1, 2), len(words) + 1)
    )
    assert all(not gap.strip() and "\n" not in gap for gap in between)
