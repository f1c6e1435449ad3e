"""What a network learns before grades: which texts are read, how they are labelled, and that it learns."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from compressor.scorers.embedded_inputs import BEGIN, MASK
from compressor.train.adapt import TAGS, main, rows_of, sample
from compressor.train.corpus import CLOSED_SOURCES, Text, read_texts
from compressor.train.net import load, save
from compressor.train.start import start
from tests.compressor.tiny_embedded import tiny_net, tiny_tokenizer

PLAIN = ("agent", "dialogue", "json", "korean", "math", "multilingual", "techdocs", "wiki", "code")
SENTENCE = "the patient must not take 서버는 데이터를 저장하지 않습니다 ."


def write(folder: Path, name: str, records: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in PLAIN:
        write(folder, f"docs_{name}", [{"src": name, "lang": "en", "text": SENTENCE, "split": "train"}])
    write(
        folder,
        "docs_korean",
        [
            {"src": "petitions-ko", "lang": "ko", "text": "closed", "split": "train"},
            {"src": "react-ko", "lang": "ko", "text": "open", "split": "train"},
            {"src": "react-ko", "lang": "ko", "text": "kept apart", "split": "valid"},
        ],
    )
    write(folder, "meetings", [{"src": "qmsum", "lang": "en", "turns": [["A", "yes"], ["B", "no"]]}])
    write(folder, "salience_sents", [{"src": "scitldr", "lang": "en", "sents": ["One.", "Two."]}])
    token = {"lang": "en", "w": "the patient must not", "s": "0111"}
    pairs = [{"src": "gsc-train", "k": "0101"}, {"src": "sae4k", "k": "0101"}]
    write(folder, "pairs_train", [{**token, **pair} for pair in pairs])
    write(folder, "salience_words", [{**token, "src": "mts", "k": "0100"}])
    tagged = {"src": "ud-en", "lang": "en", "w": "the patient must not take it", "s": "011111", "p": "DNXTVO"}
    write(folder, "pos_weak", [{**tagged, "k": "0"}] * 8)
    qa = [{"q": "who", "a": ["the patient", "patient"]}]
    write(folder, "qa_train", [{"src": "drcd", "lang": "zh-hant", "context": SENTENCE, "qas": qa}])
    return folder


def test_only_open_sources_of_the_training_split_are_read(data: Path) -> None:
    texts = list(read_texts(data))
    assert not {text.source for text in texts} & CLOSED_SOURCES
    assert [text.text for text in texts if text.language == "ko"] == ["open"]
    assert "A: yes\nB: no" in [text.text for text in texts]
    assert {text.language for text in texts} == {"en", "ko", "zh"}


def test_labels_stand_on_characters(data: Path) -> None:
    texts = {text.source: text for text in read_texts(data)}
    assert texts["ud-en"].text == "the patient must not take it"
    assert texts["ud-en"].tags == "DDD NNNNNNN XXXX TTT VVVV OO"
    assert texts["mts"].marks == "00001111111000000000"
    assert texts["drcd"].marks[: len("the patient must")] == "0000" + "1" * 7 + "00000"


def test_a_word_has_the_label_of_its_first_character() -> None:
    text = Text("ud-en", "en", "the patient must not take it", tags="DDD NNNNNNN XXXX TTT VVVV OO")
    [row] = rows_of(text, tiny_tokenizer(), np.random.default_rng(0))
    assert [TAGS[int(tag)] for tag in row.labels[:, 0]] == list("DNXTVO")
    assert (row.labels[:, 1] == -1).all()
    assert list(rows_of(Text("a", "en", "too short"), tiny_tokenizer(), np.random.default_rng(0))) == []


def test_a_language_with_few_texts_is_read_again() -> None:
    text = Text("a", "pt", "the patient must not take it again")
    rows = sample([text], tiny_tokenizer(), seed=0, share=0.001)
    assert sum(map(len, rows)) >= 34


def test_it_learns(data: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(tiny_tokenizer().to_str())
    save(tiny_net(), tmp_path / "start")
    arguments = ["--data", data, "--tokenizer", tmp_path / "tokenizer.json", "--start", tmp_path / "start"]
    options = ["--out", tmp_path / "out", "--share", "0.02", "--processes", "1", "--batch-words", "64"]
    ran = CliRunner().invoke(main, [str(part) for part in (*arguments, *options)], catch_exceptions=False)
    assert ran.exit_code == 0
    losses = [float(line.split("loss ")[1].split()[0]) for line in ran.output.splitlines() if "loss" in line]
    assert losses[-1] < losses[0]
    before, after = load(tmp_path / "start"), load(tmp_path / "out")
    assert not torch.equal(before.layers[0].up.weight, after.layers[0].up.weight)  # type: ignore[arg-type,union-attr] # a Layer's


def bert(n_pieces: int, n_layers: int, width: int = 384) -> dict[str, Tensor]:
    """Weights of a BERT checkpoint, by its names."""
    random = torch.Generator().manual_seed(3)
    sizes = {
        "embeddings.word_embeddings.weight": (n_pieces, width),
        "embeddings.position_embeddings.weight": (512, width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    linear = {"attention.self.query": (width, width), "attention.self.key": (width, width)}
    linear |= {"attention.self.value": (width, width), "attention.output.dense": (width, width)}
    linear |= {"intermediate.dense": (4 * width, width), "output.dense": (width, 4 * width)}
    norms = ["embeddings.LayerNorm"]
    for at in range(n_layers):
        for name, size in linear.items():
            sizes[f"encoder.layer.{at}.{name}.weight"] = size
            sizes[f"encoder.layer.{at}.{name}.bias"] = size[:1]  # type: ignore[assignment] # one axis
        norms += [f"encoder.layer.{at}.{part}.LayerNorm" for part in ("attention.output", "output")]
    for norm in norms:
        sizes[f"{norm}.weight"] = sizes[f"{norm}.bias"] = (width,)  # type: ignore[assignment] # one axis
    return {name: torch.randn(size, generator=random) for name, size in sizes.items()}


def test_a_start_takes_their_layers_and_their_pieces() -> None:
    names = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "not", "st", "##st", "s", "##h"]
    theirs = Tokenizer(models.WordPiece({name: at for at, name in enumerate(names)}, unk_token="[UNK]"))
    theirs.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = bert(len(names), 3)
    ours = tiny_tokenizer()
    net = start(weights, theirs, ours, [0, 2])
    table = weights["embeddings.word_embeddings.weight"]
    found = net.pieces.weight
    assert torch.equal(found[BEGIN], table[1])
    assert torch.equal(found[MASK], table[3])
    pieces = ours.get_vocab()
    assert torch.equal(found[pieces["▁not"]], table[4])
    assert torch.equal(found[pieces["st"]], table[6])  # inside a word, for them as for us
    assert torch.equal(found[pieces["s"]], table[7])  # only at the beginning of one, for them
    assert not torch.isin(found[pieces["▁東京"]], table).any()
    assert torch.equal(net.layers[1].up.weight, weights["encoder.layer.2.intermediate.dense.weight"])  # type: ignore[arg-type,union-attr] # a Layer's
    assert (net.project.weight == 0).all()
