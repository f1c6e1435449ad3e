"""The network training starts from: pieces that MiniLM has as there, others as learnt before."""

from __future__ import annotations

import json

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from compressor.train.start import start
from compressor.train.vocabulary import tokenizer_of
from compressor.train.whole_words import widened
from tests.compressor.tiny_embedded import tiny_net, tiny_tokenizer

WORDS = ("[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "patient", "taste", "##st", "st")


def theirs() -> Tokenizer:
    vocabulary = {word: at for at, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def weights(width: int = 384) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {
        "embeddings.word_embeddings.weight": torch.randn(len(WORDS), width),
        "embeddings.position_embeddings.weight": torch.randn(512, width),
        "embeddings.token_type_embeddings.weight": torch.randn(2, width),
        "embeddings.LayerNorm.weight": torch.ones(width),
        "embeddings.LayerNorm.bias": torch.zeros(width),
    }


def test_pieces_come_from_the_one_who_knows_them() -> None:
    wide = widened(tiny_tokenizer(), ["taste", "taes"])
    before = tiny_net()
    given = weights()
    learnt = torch.nn.Embedding(tiny_tokenizer().get_vocab_size(), 384).weight.detach()
    before.pieces = torch.nn.EmbeddingBag.from_pretrained(learnt, mode="mean")
    net = start(given, theirs(), wide, [], (before, tiny_tokenizer()))
    table = given["embeddings.word_embeddings.weight"]

    def ours(piece: str) -> Tensor:
        return net.pieces.weight[wide.token_to_id(piece)]

    assert torch.equal(ours("▁taste"), table[WORDS.index("taste")])
    assert torch.equal(ours("st"), table[WORDS.index("##st")])
    assert torch.equal(ours("▁서버"), learnt[tiny_tokenizer().token_to_id("▁서버")])
    parts = [tiny_tokenizer().token_to_id(part) for part in ("t", "a", "e", "s")]
    assert torch.allclose(ours("▁taes"), learnt[parts].mean(0), atol=1e-6)


def test_without_a_network_before_a_piece_is_what_their_tokenizer_makes_of_it() -> None:
    pieces = [("▁", -1.0), ("▁the", -2.0), ("▁thest", -3.0), ("▁서버", -3.0)]
    ours = tokenizer_of(pieces)
    given = weights()
    net = start(given, theirs(), ours, [])
    table = given["embeddings.word_embeddings.weight"]
    expected = table[[WORDS.index("the"), WORDS.index("##st")]].mean(0)
    assert torch.allclose(net.pieces.weight[ours.token_to_id("▁thest")], expected, atol=1e-6)
    assert json.loads(ours.to_str())["model"]["byte_fallback"]
