"""Token classifiers of four families: text read as text, scores of the model itself, clear refusals."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import AutoModelForTokenClassification

from compressor.compat_chunks import Rows
from compressor.errors import ModelError, OutOfMemory, ScorerDown
from compressor.scorers import load
from compressor.scorers.classifier import ClassifierScorer, Row
from compressor.scorers.passes import Packed, Score
from compressor.types import Chunk, Ints, Scorer, Scores
from compressor.words import split
from tests.compressor.tiny_models import CORPUS, FAMILIES, build

PROSE = " ".join(CORPUS)
LITERALS = "say <s> and </s> or <pad>, [PAD] [CLS] [SEP] [MASK] [UNK] <unk> <mask> [NEW3] done"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("models")
    return {family: build(family, home / family) for family in FAMILIES}


@pytest.fixture(scope="module")
def scorers(folders: dict[str, Path]) -> dict[str, ClassifierScorer]:
    return {family: ClassifierScorer.load(str(folder), "cpu", "fp32") for family, folder in folders.items()}


@pytest.fixture(params=list(FAMILIES))
def scorer(request: pytest.FixtureRequest, scorers: dict[str, ClassifierScorer]) -> ClassifierScorer:
    return scorers[request.param]


def rows(chunks: list[Chunk]) -> list[Row]:
    return [cast(Row, chunk.payload) for chunk in chunks]


def scored(scorer: Scorer, text: str) -> Scores:
    words = split(text)
    chunks = scorer.encode(text, words)
    return scorer.merge(words, chunks, scorer.forward(chunks))


def test_scores_are_those_of_the_model(folders: dict[str, Path], scorer: ClassifierScorer) -> None:
    """The same rows through the model by hand: plain ids, no mask, no padding, one at a time."""
    family = next(
        name for name in FAMILIES if scorer.fingerprint == load(str(folders[name]), "cpu").fingerprint
    )
    model = AutoModelForTokenClassification.from_pretrained(folders[family]).eval()
    chunks = scorer.encode(PROSE * 12, split(PROSE * 12))
    assert len(chunks) > 2
    for row, found in zip(rows(chunks), scorer.forward(chunks), strict=True):
        with torch.inference_mode():
            logits = model(input_ids=torch.from_numpy(row.ids.astype(np.int64))[None]).logits[0]
        expected = torch.softmax(logits, -1)[row.core_start : row.core_end, 1].numpy()
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_chunks_tile_the_text_and_rows_are_never_too_long(scorer: ClassifierScorer) -> None:
    text = "\n".join([PROSE * 3, "x" * 5000, "word " * 600])
    chunks = scorer.encode(text, split(text))
    starts = np.concatenate([row.starts for row in rows(chunks)])
    assert (np.diff(starts) >= 0).all()
    assert max(chunk.n_tokens for chunk in chunks) <= 512
    assert all(chunk.n_tokens == len(row.ids) for chunk, row in zip(chunks, rows(chunks), strict=True))
    whole = scorer._tokenizer.encode(text)
    assert starts.tolist() == whole.starts.tolist()


def test_rows_begin_and_end_with_the_models_own_control_tokens(folders: dict[str, Path]) -> None:
    for family, first, last in (
        ("xlm-roberta", 0, 2),
        ("bert", 2, 3),
        ("roberta", 0, 2),
        ("modernbert", 1, 2),
    ):
        chunks = ClassifierScorer.load(str(folders[family]), "cpu", "fp32").encode(PROSE, split(PROSE))
        assert [(row.ids[0], row.ids[-1]) for row in rows(chunks)] == [(first, last)] * len(chunks)


def test_control_tokens_in_the_text_are_text(folders: dict[str, Path], scorer: ClassifierScorer) -> None:
    [row] = rows(scorer.encode(LITERALS, split(LITERALS)))
    inner = row.ids[1:-1]
    specials = {int(row.ids[0]), int(row.ids[-1])} | {scorer._origin.pad_id}
    assert not specials & set(inner.tolist())
    assert len(inner) > 20  # "<s>" alone is several tokens


def test_placeholders_are_spelled_out(folders: dict[str, Path], scorers: dict[str, ClassifierScorer]) -> None:
    for family in ("xlm-roberta", "bert"):
        added = json.loads((folders[family] / "tokenizer.json").read_text())["added_tokens"]
        special = {token["id"] for token in added if "UNK" not in token["content"].upper()}
        [row] = rows(scorers[family].encode(LITERALS, split(LITERALS)))
        assert not special & set(row.ids[1:-1].tolist())


def test_ordinary_added_tokens_stay_whole(scorers: dict[str, ClassifierScorer]) -> None:
    [row] = rows(scorers["modernbert"].encode("a    b", split("a    b")))
    assert row.starts.tolist() == [0, 1, 5]


def test_a_chunk_alone_scores_as_in_any_text_that_has_it(scorer: ClassifierScorer) -> None:
    lines = [f"{line} {i}" for i in range(12) for line in CORPUS]
    text, edited = "\n\n".join(lines), "\n\n".join([*lines[:-2], "Something else was said.", *lines[-1:]])
    one, other = (scorer.encode(some, split(some)) for some in (text, edited))
    apart = {chunk.subject: scorer.forward([chunk])[0] for chunk in one}
    known = [apart.get(chunk.subject) for chunk in other]
    assert 0 < sum(part is not None for part in known) < len(other)
    whole = scorer.forward(other)
    pairs = [(part, found) for part, found in zip(known, whole, strict=True) if part is not None]
    for part, found in pairs:
        assert part.dtype == found.dtype
        assert np.allclose(part, found, atol=1e-5)
    assert all(chunk.subject and chunk.subject.n_scores == len(apart[chunk.subject]) for chunk in one)


def test_scores_do_not_depend_on_batch_neighbours(scorer: ClassifierScorer) -> None:
    texts = [PROSE * 4, "short one", PROSE[:300], "a", CORPUS[0], CORPUS[5], "word " * 700]
    alone = [scored(scorer, text) for text in texts]
    encoded = [scorer.encode(text, split(text)) for text in texts]
    flat = [(at, chunk) for at, chunks in enumerate(encoded) for chunk in chunks]
    for seed in range(3):
        random.Random(seed).shuffle(flat)
        found = dict(
            zip([chunk for _, chunk in flat], scorer.forward([chunk for _, chunk in flat]), strict=True)
        )
        for text, chunks, expected in zip(texts, encoded, alone, strict=True):
            merged = scorer.merge(split(text), chunks, [found[chunk] for chunk in chunks])
            assert np.abs(merged.astype(int) - expected.astype(int)).max() <= 1


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=300))
def test_any_text_has_a_score_for_each_word(scorer: ClassifierScorer, text: str) -> None:
    scores = scored(scorer, text)
    assert len(scores) == len(split(text))
    assert scores.dtype == np.uint16
    assert scores.max(initial=0) <= 4096


def test_a_long_text_in_pieces_has_the_tokens_of_the_whole(scorer: ClassifierScorer) -> None:
    text = "\n\n".join(f"{line}\n    indented {at}" for at, line in enumerate(CORPUS * 200))
    assert len(text) > 100_000
    tokens = scorer._tokenizer.encode(text)
    whole = scorer._tokenizer._tokenizer.encode(text, add_special_tokens=False)
    assert tokens.ids.tolist() == whole.ids
    assert list(zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True)) == whole.offsets


def test_a_long_text_without_seams_is_cut_all_the_same(scorer: ClassifierScorer) -> None:
    text = "会議" * 20_000
    tokens = scorer._tokenizer.encode(text)
    assert tokens.ends[-1] == len(text)
    covered = np.zeros(len(text) + 1, np.int32)
    np.add.at(covered, tokens.starts, 1)
    np.add.at(covered, tokens.ends, -1)
    assert (np.cumsum(covered)[:-1] > 0).all()


def test_half_a_character_is_scored(scorer: ClassifierScorer) -> None:
    assert len(scored(scorer, "half \ud83d of one")) == len(split("half \ud83d of one"))


def test_text_without_tokens(scorers: dict[str, ClassifierScorer]) -> None:
    assert scored(scorers["bert"], "\n\n").tolist() == [4096, 4096]
    assert scored(scorers["bert"], "").tolist() == []


def test_many_threads_encode_alike(scorer: ClassifierScorer) -> None:
    """One tokenizer object, eight threads let go at once: the tokens of one, and no "Already borrowed"."""
    texts = [PROSE[at : at + 2000] * 3 for at in range(40)]
    expected = [[row.ids.tolist() for row in rows(scorer.encode(text, split(text)))] for text in texts]
    start = threading.Barrier(8)

    def encode_all(shift: int) -> list[list[list[int]]]:
        start.wait()
        order = texts[shift:] + texts[:shift]
        found = [[row.ids.tolist() for row in rows(scorer.encode(text, split(text)))] for text in order]
        return found[len(texts) - shift :] + found[: len(texts) - shift]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(encode_all, range(8))) == [expected] * 8


def test_load_by_folder_name_through_the_registry(folders: dict[str, Path]) -> None:
    scorer: Scorer = load(str(folders["bert"]), "auto", "fp32")
    assert len(scored(scorer, CORPUS[0])) == len(split(CORPUS[0]))


def test_the_fingerprint_names_files_and_nothing_else(folders: dict[str, Path], tmp_path: Path) -> None:
    same = shutil.copytree(folders["bert"], tmp_path / "elsewhere")
    other = shutil.copytree(folders["roberta"], tmp_path / "bert")
    first = ClassifierScorer.load(str(folders["bert"]), "cpu", "fp32").fingerprint
    assert ClassifierScorer.load(str(same), "cpu", "bf16").fingerprint == first
    assert ClassifierScorer.load(str(other), "cpu", "fp32").fingerprint != first
    (same / "tokenizer_config.json").write_text('{"model_max_length": 256}')
    assert ClassifierScorer.load(str(same), "cpu", "fp32").fingerprint != first


def test_bf16_agrees_with_fp32_in_the_large(folders: dict[str, Path]) -> None:
    full = scored(ClassifierScorer.load(str(folders["bert"]), "cpu", "fp32"), PROSE)
    half = scored(ClassifierScorer.load(str(folders["bert"]), "cpu", "bf16"), PROSE)
    assert np.corrcoef(full, half)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("family", "config", "stated", "longest"),
    [
        ("xlm-roberta", {"max_position_embeddings": 66}, 512, 64),
        ("bert", {"max_position_embeddings": 64}, 512, 64),
        ("roberta", {"max_position_embeddings": 66}, None, 64),
        ("modernbert", {"max_position_embeddings": 128}, 1e30, 128),
        ("modernbert", {"max_position_embeddings": 8192}, 8192, 512),
        ("bert", {}, 100, 100),
    ],
)
def test_the_longest_row_is_read_from_the_model(
    tmp_path: Path, family: str, config: dict[str, int], stated: float | None, longest: int
) -> None:
    folder = build(family, tmp_path, **config)
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": stated}))
    scorer = ClassifierScorer.load(str(folder), "cpu", "fp32")
    text = ". " * 2000  # one token each, so that rows can be full
    chunks = scorer.encode(text, split(text))
    assert max(chunk.n_tokens for chunk in chunks) == longest
    assert len(scored(scorer, text)) == 2000  # the last position is one the model has


def test_one_output_is_a_logit(tmp_path: Path) -> None:
    scorer = ClassifierScorer.load(str(build("bert", tmp_path, num_labels=1)), "cpu", "fp32")
    chunks = scorer.encode(CORPUS[0], split(CORPUS[0]))
    model = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    [row] = rows(chunks)
    with torch.inference_mode():
        logits = model(input_ids=torch.from_numpy(row.ids.astype(np.int64))[None]).logits[0, :, 0]
    expected = torch.sigmoid(logits)[row.core_start : row.core_end].numpy()
    np.testing.assert_allclose(scorer.forward(chunks)[0], expected, atol=2e-5)


def test_labels_the_other_way_round_turn_the_scores(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["bert"], tmp_path / "turned")
    config = json.loads((folder / "config.json").read_text())
    labels = {"id2label": {"0": "KEEP", "1": "drop"}, "label2id": {"KEEP": 0, "drop": 1}}
    (folder / "config.json").write_text(json.dumps({**config, **labels}))
    turned = ClassifierScorer.load(str(folder), "cpu", "fp32")
    plain = scored(ClassifierScorer.load(str(folders["bert"]), "cpu", "fp32"), PROSE)
    np.testing.assert_allclose(scored(turned, PROSE).astype(int), 4096 - plain.astype(int), atol=1)


def test_three_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"3 labels \['LABEL_0', 'LABEL_1', 'LABEL_2'\]"):
        ClassifierScorer.load(str(build("bert", tmp_path, num_labels=3)), "cpu")


def test_a_model_without_a_trained_head_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from transformers import AutoModel

    AutoModel.from_pretrained(folders["bert"]).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((folders["bert"] / "tokenizer.json").read_bytes())
    with pytest.raises(ModelError, match=r"the weights lack classifier\.bias, classifier\.weight"):
        ClassifierScorer.load(str(tmp_path), "cpu")


def test_a_tokenizer_of_another_model_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = build("bert", tmp_path)
    (folder / "tokenizer.json").write_bytes((folders["roberta"] / "tokenizer.json").read_bytes())
    with pytest.raises(ModelError, match=r"ids reach \d+, the embedding has \d+ rows"):
        ClassifierScorer.load(str(folder), "cpu", "fp32")


def test_a_model_too_short_for_text_is_refused(tmp_path: Path) -> None:
    folder = build("bert", tmp_path, max_position_embeddings=2)
    with pytest.raises(ModelError, match="rows of 2 tokens leave no room for text"):
        ClassifierScorer.load(str(folder), "cpu", "fp32")


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    folder = build("bert", tmp_path)
    (folder / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match=r"transformers cannot load .*: fetch the model again, or choose"):
        ClassifierScorer.load(str(folder), "cpu", "fp32")


def test_output_that_is_not_a_number_is_an_error(folders: dict[str, Path]) -> None:
    scorer = ClassifierScorer.load(str(folders["bert"]), "cpu", "fp32")
    with torch.no_grad():
        cast(Packed, scorer._chosen.passes).encoder._head[1].fill_(float("nan"))
    with pytest.raises(ScorerDown, match="not a number"):
        scorer.forward(scorer.encode("some text", split("some text")))


@pytest.mark.parametrize("device", ["tpu9", "cuda:7"])
def test_an_unusable_device_is_named(folders: dict[str, Path], device: str) -> None:
    with pytest.raises(ModelError, match=f"device is '{device}'"):
        ClassifierScorer.load(str(folders["bert"]), device)


def test_an_unknown_precision_is_named(folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="precision is 'fp8': use auto, fp32, bf16, fp16"):
        ClassifierScorer.load(str(folders["bert"]), "cpu", "fp8")


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(folders: dict[str, Path], scorer: ClassifierScorer) -> None:
    family = next(
        name for name in FAMILIES if scorer.fingerprint == load(str(folders[name]), "cpu").fingerprint
    )
    on_gpu = scored(ClassifierScorer.load(str(folders[family]), "cuda", "fp32"), PROSE * 4)
    difference = np.abs(on_gpu.astype(int) - scored(scorer, PROSE * 4).astype(int))
    assert difference.max() <= 8


class Full:
    """Passes on a device without memory."""

    def run(self, rows: Sequence[Ints], score: Score) -> list[NDArray[np.float32]]:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_batch_that_memory_does_not_take_is_told_from_a_failure(folders: dict[str, Path]) -> None:
    """So that whoever asked halves it."""
    scorer = ClassifierScorer.load(str(folders["bert"]), "cpu", "fp32")
    scorer._chosen = replace(scorer._chosen, passes=Full())
    with pytest.raises(OutOfMemory, match=r"\d+ tokens do not fit cpu"):
        scorer.forward(scorer.encode("some text", split("some text")))


def test_nor_does_fidelity_compat(folders: dict[str, Path]) -> None:
    def full(**_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    scorer = ClassifierScorer.load(str(folders["bert"]), "cpu", "fp32")
    scorer._package_model.forward = full
    rows = Rows(np.zeros((2, 4), np.int64), np.ones((2, 4), np.bool_))
    with pytest.raises(OutOfMemory, match="8 tokens do not fit cpu"):
        scorer.forward([Chunk(8, rows)])
