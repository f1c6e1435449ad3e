"""A model's own tokenizer as the llmlingua package uses it: the one transformers makes of the model's folder,
with 100 placeholders added, finding control tokens wherever a text spells them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from compressor.compat_chunks import PLACEHOLDERS, Family
from compressor.errors import ModelError

_FAMILIES: dict[str, Family] = {"bert": "bert", "xlm-roberta": "xlm-roberta"}
"""By the config's `model_type`. (The package looks for two names in the folder's path.)"""


class CompatVocabulary:
    """Implements `Vocabulary`. Encoding only reads, so one object serves all threads."""

    def __init__(self, family: Family, specials: frozenset[str], tokenizer: Tokenizer, unknown: int) -> None:
        self.family = family
        self.specials = specials
        self.n_ids = tokenizer.get_vocab_size(with_added_tokens=True)
        self._tokenizer = tokenizer
        self._unknown = unknown

    @classmethod
    def load(cls, folder: Path, config: Any) -> CompatVocabulary:
        """The tokenizer in `folder`, of the model with that config. Raises ModelError."""
        from transformers import AutoTokenizer

        if config.model_type not in _FAMILIES or config.num_labels < 2:
            raise ModelError(
                f"model {str(folder)!r}: {config.model_type} with {config.num_labels} labels is no model of "
                f"LLMLingua-2: for fidelity compat use one of {', '.join(_FAMILIES)} with 2, else native"
            )
        made = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        made.pad_token_id = config.pad_token_id or made.eos_token_id  # as the package, to which id 0 is none
        specials = frozenset(made.special_tokens_map.values())
        made.add_special_tokens({"additional_special_tokens": list(PLACEHOLDERS)})
        tokenizer = made.backend_tokenizer
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(_FAMILIES[config.model_type], specials, tokenizer, int(made.unk_token_id))

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text`, nothing around them."""
        [encoding] = self._tokenizer.encode_batch([text], add_special_tokens=False)
        tokens: list[str] = encoding.tokens
        return tokens

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """Each token's id, that of the unknown token where there is none."""
        found = map(self._tokenizer.token_to_id, tokens)
        return [self._unknown if id is None else id for id in found]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id's token."""
        return [str(self._tokenizer.id_to_token(id)) for id in ids]

    def join(self, tokens: Sequence[str]) -> str:
        """Tokens to text."""
        decoder = self._tokenizer.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))
