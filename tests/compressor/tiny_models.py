"""Tiny token-classification folders with random weights, one a family, as `save_pretrained` would leave them.

Random weights say nothing about quality; shapes, tokenizers and files are those of the real families.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    ModernBertConfig,
    ModernBertForTokenClassification,
    RobertaConfig,
    RobertaForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

CORPUS = (
    "The meeting began at noon, and everyone agreed that the report should be finished by Friday.",
    "She asked whether the budget of 42,000 dollars would cover the second phase; it would not.",
    "In this document we describe how the service is deployed, monitored and rolled back.",
    "Retrieval of long passages is followed by compression, which removes words that carry little.",
    "Le rapport a été envoyé à l'équipe, mais personne n'a répondu avant jeudi.",
    "안녕하세요 세계, 회의는 열두 시에 시작했습니다.",
    "会議は正午に始まりました。 你好，世界。",
)
"""What the tokenizers are trained on: enough for whole common words, little enough to take no time."""


def build(family: str, folder: Path, **config: Any) -> Path:
    """Write a model of `family` (a key of FAMILIES) to `folder`; `config` overrides the model's config."""
    torch.manual_seed(7)
    tokenizer, model = FAMILIES[family](config)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    stated = {"model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    return folder


def _shape(overrides: dict[str, Any]) -> dict[str, Any]:
    tiny = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "num_labels": 2,
        "initializer_range": 0.3,
    }
    return {**tiny, **overrides}


def _sentences() -> Iterator[str]:
    for _ in range(8):
        yield from CORPUS


def _xlm_roberta(config: dict[str, Any]) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=600,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    tokenizer.add_special_tokens(["<mask>", "[NEW3]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    shape = _shape({"max_position_embeddings": 514, "pad_token_id": 1, **config})
    vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
    return tokenizer, XLMRobertaForTokenClassification(XLMRobertaConfig(vocab_size=vocabulary, **shape))


def _bert(config: dict[str, Any]) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[NEW3]"]
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(_sentences(), trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    shape = _shape({"max_position_embeddings": 512, "pad_token_id": 0, **config})
    vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
    return tokenizer, BertForTokenClassification(BertConfig(vocab_size=vocabulary, **shape))


def _byte_level(specials: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    return tokenizer


def _roberta(config: dict[str, Any]) -> tuple[Tokenizer, Any]:
    tokenizer = _byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    shape = _shape({"max_position_embeddings": 514, "pad_token_id": 1, **config})
    vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
    return tokenizer, RobertaForTokenClassification(RobertaConfig(vocab_size=vocabulary, **shape))


def _modernbert(config: dict[str, Any]) -> tuple[Tokenizer, Any]:
    tokenizer = _byte_level(["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
    tokenizer.add_tokens(["  ", "    "])  # runs of spaces, ordinary text
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    ids = {"pad_token_id": 0, "cls_token_id": 1, "bos_token_id": 1, "sep_token_id": 2, "eos_token_id": 2}
    shape = _shape({"max_position_embeddings": 1024, **ids, **config})
    vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
    return tokenizer, ModernBertForTokenClassification(ModernBertConfig(vocab_size=vocabulary, **shape))


FAMILIES: dict[str, Callable[[dict[str, Any]], tuple[Tokenizer, Any]]] = {
    "xlm-roberta": _xlm_roberta,
    "bert": _bert,
    "roberta": _roberta,
    "modernbert": _modernbert,
}
