"""What `compressor.llmlingua2` is asked and answers: the package's options and result, by its names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compressor.params import CompressionParams

CL100K = "cl100k_base"
"""In which all counts and weights are."""


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """Names, defaults and meaning are the package's, so nothing is checked here that it does not check."""

    rate: float = 0.5
    """Share to keep of each chunk's tokens."""
    target_token: int = -1
    """Most tokens of all contexts together; below 0: none."""
    use_context_level_filter: bool = False
    """Drop whole contexts first."""
    use_token_level_filter: bool = True
    target_context: int = -1
    """Contexts to keep."""
    context_level_rate: float = 1.0
    """Share of contexts to keep."""
    context_level_target_token: int = -1
    force_context_ids: tuple[int, ...] = ()
    """Contexts that are never dropped."""
    return_word_label: bool = False
    word_sep: str = "\t\t|\t\t"
    label_sep: str = " "
    token_to_word: Literal["mean", "first"] = "mean"  # noqa: S105 - no password
    force_tokens: tuple[str, ...] = ()
    force_reserve_digit: bool = False
    drop_consecutive: bool = False
    chunk_end_tokens: tuple[str, ...] = (".", "\n")

    @classmethod
    def of(cls, params: CompressionParams, origin_tokens: int) -> PromptOptions:
        """What `params` ask for one text of so many target tokens."""
        return cls(
            rate=params.rate_for(origin_tokens),
            target_token=-1 if params.target_tokens is None else params.target_tokens,
            force_tokens=params.force_tokens,
            force_reserve_digit=params.force_reserve_digit,
            drop_consecutive=params.drop_consecutive,
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the package answers as a dictionary, under its keys."""

    compressed_prompt_list: tuple[str, ...]
    origin_tokens: int
    compressed_tokens: int
    fn_labeled_original_prompt: str | None = None

    @property
    def compressed_prompt(self) -> str:
        """All contexts that are left."""
        return "\n\n".join(self.compressed_prompt_list)

    @property
    def ratio(self) -> str:
        """As "3.3x"."""
        return f"{self._ratio:.1f}x"

    @property
    def rate(self) -> str:
        """As "30.6%"."""
        return f"{1 / self._ratio * 100:.1f}%"

    @property
    def _ratio(self) -> float:
        return self.origin_tokens / self.compressed_tokens if self.compressed_tokens else 1
