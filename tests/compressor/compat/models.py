"""Tiny models of LLMLingua-2's two families, the same on every machine: no training, weights from a seed.

Folders carry the names by which the package recognises a family. Weights say nothing about quality; the
vocabularies have whole words, pieces of words and single characters, and lack some, as real ones do.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

from tests.compressor.compat.texts import ALPHABET, CORPUS

FAMILIES = ("xlm-roberta-large", "bert-base-multilingual-cased")
"""As they are spelled in the names of the checkpoints, and of the folders here."""
N_PLACEHOLDERS = 100
_SEED = 20_240_319
_SHAPE = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "num_labels": 2,
}


def build(family: str, where: Path) -> Path:
    """Write the family's model; its folder."""
    folder = where / family
    tokenizer, config, make, specials = _FAMILIES[family]()
    n_tokens = tokenizer.get_vocab_size(with_added_tokens=True)
    model = make(config(vocab_size=n_tokens + N_PLACEHOLDERS, **_SHAPE))
    _fill(model)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    stated = {"model_max_length": 512, "do_lower_case": False, **specials}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    return folder


def _fill(model: Any) -> None:
    """Weights by NumPy's generator, in the order of their names: torch's may change with its version."""
    random = np.random.Generator(np.random.PCG64(_SEED))
    with torch.no_grad():
        for name, weights in sorted(model.state_dict().items()):
            if not weights.is_floating_point():
                continue
            values = random.standard_normal(tuple(weights.shape)).astype(np.float32)
            if "LayerNorm" in name:
                values = np.float32(name.endswith("weight")) + values * np.float32(0.1)
            weights.copy_(torch.from_numpy(np.ascontiguousarray(values * np.float32(_scale(name)))))


def _scale(name: str) -> float:
    return 1.0 if "LayerNorm" in name or "embeddings" in name else 0.2


def _pieces(begin: str, inner: str) -> list[str]:
    """Characters, then words by how often they occur, then their ends, each as its vocabulary marks it."""
    words = Counter(re.findall(r"\w+", CORPUS))
    common = sorted(words, key=lambda word: (-words[word], word))
    whole = [begin + word for word in common[::2] if len(word) < 9]
    stems = [begin + word[:4] for word in common[1::2] if len(word) > 5]
    ends = [
        inner + word[-size:] for word in common if word.isascii() for size in (2, 3) if len(word) > size + 2
    ]
    singles = [mark + char for char in ALPHABET for mark in (begin, inner)]
    return list(dict.fromkeys([*singles, *whole, *stems, *ends]))


def _xlm_roberta() -> tuple[Tokenizer, Any, Callable[[Any], Any], dict[str, str]]:
    pieces = ["▁", "()", "./", *_pieces("▁", "")]
    scored = [
        (piece, round(-1.0 - math.log(2 + at) / 2, 4)) for at, piece in enumerate(dict.fromkeys(pieces))
    ]
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *scored, ("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    names |= {"sep_token": "</s>", "cls_token": "<s>", "mask_token": "<mask>"}

    def config(**shape: Any) -> Any:
        ids: dict[str, Any] = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
        return XLMRobertaConfig(max_position_embeddings=514, type_vocab_size=1, **ids, **shape)

    return tokenizer, config, XLMRobertaForTokenClassification, names


def _bert() -> tuple[Tokenizer, Any, Callable[[Any], Any], dict[str, str]]:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*specials, *_pieces("", "##")]
    vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(specials)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    names |= {"cls_token": "[CLS]", "mask_token": "[MASK]"}

    def config(**shape: Any) -> Any:
        return BertConfig(max_position_embeddings=512, pad_token_id=0, **shape)

    return tokenizer, config, BertForTokenClassification, names


_FAMILIES = dict(zip(FAMILIES, (_xlm_roberta, _bert), strict=True))
