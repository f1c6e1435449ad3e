"""The embedded scorer: one score a word, whatever else is scored, and clear words for broken folders."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from compressor.errors import ModelError
from compressor.scorers.embedded import LIMITS, LONGEST, PUNCTUATION, SHARES, EmbeddedScorer, at_words, logits
from compressor.scorers.embedded_folder import GRAPH, TOKENIZER, WEIGHTS, read_model
from compressor.scorers.embedded_inputs import EMPTY, NEWLINE, UNKNOWN, inputs_of
from compressor.scorers.frequency import group_of, score
from compressor.scorers.frequency_types import find_types
from compressor.train.progress import probabilities
from compressor.types import SCORE_ONE, Chunk
from compressor.words import split
from tests.compressor.tiny_embedded import tiny_net, tiny_tokenizer, write_tiny

TEXT = "The patient must not take ibuprofen.\n서버는 데이터를 저장하지 않습니다. 東京のモデル, Straße 3:15!\n"

texts = st.text(
    st.sampled_from(list("the patient 1,.()\"'\n\r한글은漢字のカナ-é🙂\u0301\u200b\ud800")), max_size=80
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def scorer(folder: Path) -> EmbeddedScorer:
    return EmbeddedScorer.load(folder, threads=2)


def scores_of(scorer: EmbeddedScorer, text: str) -> list[int]:
    words = split(text)
    chunks = scorer.encode(text, words)
    return [int(value) for value in scorer.merge(words, chunks, scorer.forward(chunks))]


@given(text=texts)
def test_every_text_gets_one_score_a_word_on_the_grid(scorer: EmbeddedScorer, text: str) -> None:
    found = scores_of(scorer, text)
    assert len(found) == len(split(text))
    assert all(0 <= value <= SCORE_ONE for value in found)


@given(text=texts)
def test_no_piece_is_unknown(text: str) -> None:
    words = split(text)
    if len(words):
        inputs = inputs_of(text, words, tiny_tokenizer())
        assert UNKNOWN not in inputs.pieces
        assert (np.diff(inputs.starts) > 0).all()
        assert inputs.starts[-1] == len(inputs.pieces)
        assert inputs.of.max() == len(inputs.starts) - 2


def test_newlines_and_words_of_nothing_visible_have_pieces_of_their_own() -> None:
    text = "the\r\n\u200b the"
    words = split(text)
    inputs = inputs_of(text, words, tiny_tokenizer())
    found = [inputs.pieces[inputs.starts[at] : inputs.starts[at + 1]].tolist() for at in inputs.of]
    assert found[1] == [NEWLINE]
    assert found[0] == found[-1]


def test_a_word_the_tokenizer_drops_is_the_empty_piece() -> None:
    assert EMPTY in inputs_of("\x85a", split("\x85a"), tiny_tokenizer()).pieces or len(split("\x85a")) == 1


def test_scores_do_not_depend_on_the_batch(scorer: EmbeddedScorer) -> None:
    others = [TEXT * 40, "short", TEXT[:50]]
    chunks = [(text, scorer.encode(text, split(text))) for text in (*others, TEXT)]
    batch = [chunk for _, some in chunks for chunk in some]
    together = scorer.forward(batch)[-1]
    alone = scorer.forward(chunks[-1][1])[0]
    assert together.tolist() == alone.tolist()


def test_a_long_text_is_scored_in_windows_whose_cores_tile_it(scorer: EmbeddedScorer) -> None:
    text = TEXT * 60
    words = split(text)
    chunks = scorer.encode(text, words)
    assert len(chunks) > 1
    assert max(chunk.n_tokens for chunk in chunks) <= LIMITS.tokens + 2
    assert sum(len(part) for part in scorer.forward(chunks)) == len(words)


def test_a_text_that_would_take_too_long_is_scored_without_the_network(scorer: EmbeddedScorer) -> None:
    longest = "patient " * LONGEST
    assert scores_of(scorer, longest) != score(split(longest)).tolist()
    assert scores_of(scorer, longest + TEXT) == score(split(longest + TEXT)).tolist()


def test_punctuation_at_a_word_is_told_from_punctuation_by_itself() -> None:
    text = '- (so), "yes".\n= 3:15 => go!\n-'
    words = split(text)
    found = at_words(words)
    shown = [text[start:end] for start, end in zip(words.starts[found], words.ends[found], strict=True)]
    assert "".join(shown) == '(),"".!'
    assert not at_words(split("- => ...\n--")).any()


def test_eight_bits_score_nearly_as_the_network_they_were_made_of(scorer: EmbeddedScorer) -> None:
    words = split(TEXT)
    share = SHARES[group_of(find_types(words))]
    net = logits(
        np.asarray(probabilities(tiny_net(), tiny_tokenizer(), TEXT, words).mean(axis=1), np.float32)
    )
    beside = logits(np.asarray(score(words) / SCORE_ONE, np.float32))
    less = PUNCTUATION[group_of(find_types(words))] * at_words(words)
    mixed = np.float32(1 - share) * net + np.float32(share) * beside - less
    exact = 1 / (1 + np.exp(-mixed))
    ours = np.array(scores_of(scorer, TEXT)) / SCORE_ONE
    assert np.ptp(exact) > 0.3
    assert np.abs(exact - ours).max() < 0.08
    assert np.corrcoef(exact, ours)[0, 1] > 0.99


def test_the_same_folder_has_the_same_fingerprint_and_another_not(
    folder: Path, scorer: EmbeddedScorer, tmp_path: Path
) -> None:
    assert EmbeddedScorer.load(folder).fingerprint == scorer.fingerprint
    assert EmbeddedScorer.load(write_tiny(tmp_path, seed=1)).fingerprint != scorer.fingerprint


def test_chunks_of_another_scorer_are_refused(scorer: EmbeddedScorer) -> None:
    with pytest.raises(TypeError, match="with this scorer's encode"):
        scorer.forward([Chunk(1, "no row")])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def rewrite_metadata(folder: Path, **changes: str) -> None:
    with (folder / WEIGHTS).open("rb") as file:
        metadata = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
    save_file(load_file(folder / WEIGHTS), folder / WEIGHTS, {**metadata, **changes})


def leave_out(folder: Path, name: str) -> None:
    with (folder / WEIGHTS).open("rb") as file:
        metadata = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
    weights = load_file(folder / WEIGHTS)
    del weights[name]
    save_file(weights, folder / WEIGHTS, metadata)


def other_tokenizer(folder: Path) -> None:
    definition = json.loads(tiny_tokenizer().to_str())
    definition["model"]["vocab"].append(["▁more", -9.0])
    (folder / TOKENIZER).write_bytes(gzip.compress(json.dumps(definition).encode()))


BREAKS: dict[str, Callable[[Path], object]] = {
    "weights.safetensors cannot be read": lambda folder: (folder / WEIGHTS).unlink(),
    "graph.onnx cannot be read": lambda folder: (folder / GRAPH).unlink(),
    "weights.safetensors is damaged": lambda folder: truncate(folder / WEIGHTS),
    "graph does not load": lambda folder: truncate(folder / GRAPH),
    "tokenizer.json.gz is damaged": lambda folder: truncate(folder / TOKENIZER),
    "tokenizer.json.gz does not load": lambda folder: (folder / TOKENIZER).write_bytes(gzip.compress(b"{}")),
    "not of one model": other_tokenizer,
    "trained on inputs of version 0": lambda folder: rewrite_metadata(folder, inputs="0"),
    "lacks 'pieces.scale'": lambda folder: leave_out(folder, "pieces.scale"),
    "lacks 'nothing'": lambda folder: rewrite_metadata(folder, graph='["nothing"]'),
}


@pytest.mark.parametrize("message", BREAKS)
def test_a_broken_folder_is_a_clear_error(message: str, tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "broken")
    BREAKS[message](folder)
    with pytest.raises(ModelError, match=message):
        EmbeddedScorer.load(folder)


def test_a_folder_read_twice_is_one_model(folder: Path) -> None:
    assert read_model(folder).digest == read_model(folder).digest
