"""Token classifiers of the usual shapes with random weights, for measuring without a download.

The layers, the tokenizer's kind and the files are those of the real models; what the weights say is not.
Folders carry the names by which the llmlingua package recognises a family.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

_SEED = 7
_PIECES = 3000
"""Of the tokenizers made here: some 1.3 tokens an English word, as the real ones have."""
_STEP = 0.02
"""Standard deviation of the weights, as the families are initialised."""
_HEAD_STEP = 0.2
"""Of the head's: scores then spread over a good part of [0, 1]."""

Maker: TypeAlias = Callable[[Iterable[str]], Tokenizer]


@dataclass(frozen=True, slots=True)
class Shape:
    """A family's class in transformers, its config, its tokenizer, and the folder's name."""

    kind: str
    folder: str
    tokenizer: Maker
    specials: Mapping[str, str]
    config: Mapping[str, Any]


def build(shape: Shape, where: Path, texts: Iterable[str]) -> Path:
    """Write a model of that shape below `where`, with a tokenizer trained on `texts`; its folder."""
    import transformers

    folder = where / shape.folder
    folder.mkdir(parents=True)
    config = getattr(transformers, f"{shape.kind}Config")(**shape.config)
    model_class = getattr(transformers, f"{shape.kind}ForTokenClassification")
    with torch.device("meta"):
        model = model_class(config)
    config.architectures = [model_class.__name__]
    config.save_pretrained(folder)
    save_file(_weights(model.state_dict()), folder / "model.safetensors", {"format": "pt"})
    shape.tokenizer(texts).save(str(folder / "tokenizer.json"))
    stated = {"model_max_length": 512, "do_lower_case": False, **shape.specials}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    return folder


def _weights(shapes: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(_SEED)
    return {name: _filled(name, meta.shape, generator) for name, meta in shapes.items()}


def _filled(name: str, size: torch.Size, generator: torch.Generator) -> torch.Tensor:
    if name.endswith("bias"):
        return torch.zeros(size)
    if "LayerNorm" in name:
        return torch.ones(size)
    step = _HEAD_STEP if name.startswith("classifier") else _STEP
    return torch.empty(size).normal_(0.0, step, generator=generator)


def _unigram(texts: Iterable[str]) -> Tokenizer:
    """XLM-RoBERTa's kind."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=_PIECES,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",  # noqa: S106  # a token of text
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(["<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _wordpiece(texts: Iterable[str]) -> Tokenizer:
    """BERT's kind."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106  # a token of text
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=_PIECES, special_tokens=specials, show_progress=False)
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


_XLM_ROBERTA_SPECIALS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
_BERT_SPECIALS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_XLM_ROBERTA: Mapping[str, Any] = {
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "num_labels": 2,
}

SHAPES: Mapping[str, Shape] = {
    "xlm-roberta-large": Shape(
        "XLMRoberta",
        "xlm-roberta-large",
        _unigram,
        _XLM_ROBERTA_SPECIALS,
        {
            **_XLM_ROBERTA,
            "vocab_size": 250_102,  # 100 of them for the placeholders of fidelity compat
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
        },
    ),
    "mbert": Shape(
        "Bert",
        "bert-base-multilingual-cased",
        _wordpiece,
        _BERT_SPECIALS,
        {
            "vocab_size": 119_647,
            "max_position_embeddings": 512,
            "pad_token_id": 0,
            "num_labels": 2,
        },
    ),
    "default": Shape(
        "XLMRoberta",
        "small-xlm-roberta-large",
        _unigram,
        _XLM_ROBERTA_SPECIALS,
        {
            **_XLM_ROBERTA,
            "vocab_size": 119_647,
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
        },
    ),
}
"""By name. `default` is what a gateway without a GPU might afford: 6 layers of 384."""
