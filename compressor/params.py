"""What one request asks of the compressor: plain frozen values, no behaviour beyond checking themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from compressor.errors import ParamsError

MAX_FORCE_TOKENS = 100
"""With fidelity compat: as many placeholders its models have."""

Fidelity: TypeAlias = Literal["native", "compat"]
"""Our own way of compressing; or, byte for byte, what the llmlingua package does with the same weights."""


@dataclass(frozen=True, slots=True)
class RateStep:
    """One row of a rate table: texts of up to `to_tokens` target tokens (None: any length) keep `rate`."""

    rate: float
    to_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Protect:
    """Which parts of a text must come through byte-equal."""

    head_tokens: int = 0
    """Target tokens at the start of the text that stay as they are."""
    tail_tokens: int = 0
    """Target tokens at the end of the text that stay as they are."""
    code: bool = True
    """Fenced, inline and unfenced code."""
    json: bool = True
    """JSON documents inside the text."""
    urls: bool = True
    """URLs, mail addresses and file paths."""
    tables: bool = True
    """Pipe tables and delimiter-separated rows."""
    tags: bool = True
    """XML and HTML tags (their markup, not what they enclose)."""
    patterns: tuple[str, ...] = ()
    """User patterns in google-re2 syntax; whatever matches is protected."""


@dataclass(frozen=True, slots=True)
class CompressionParams:
    """How to compress one text. Every field is evaluated on that text alone (law 4).

    Exactly one way of selecting is in force: `target_tokens` if given, else `threshold` if given, else
    `rates` if given, else `rate`.
    """

    rate: float = 0.5
    """Compressed ÷ original tokens of the unprotected prose, in (0, 1]."""
    rates: tuple[RateStep, ...] = ()
    """Rate by length of the text; the first step it fits in wins."""
    target_tokens: int | None = None
    """Most target tokens the whole text may keep; never below what is protected."""
    threshold: float | None = None
    """Keep words scoring at least this, in [0, 1]."""
    min_rate: float = 0.0
    """With `threshold`: keep at least this share."""
    max_rate: float = 1.0
    """With `threshold`: keep at most this share."""
    min_tokens: int = 0
    """Texts of fewer target tokens are left whole (`short`)."""
    structure_guard: bool = True
    """Leave texts that are mostly code, JSON or tables whole (`structured`)."""
    protect: Protect = field(default_factory=Protect)
    force_tokens: tuple[str, ...] = ("\n",)
    """Literals that are always kept."""
    force_reserve_digit: bool = True
    """Keep every word that holds a digit."""
    drop_consecutive: bool = False
    """Of a run of equal forced literals with nothing kept between them, keep one."""
    minify_json: bool = False
    """Leave out the white space that JSON documents of several lines are laid out with."""
    drop_repeats: bool = False
    """Leave out long blocks of lines that stand earlier in the text, character for character."""
    whole_lines: bool = False
    """Lines of tables and logs stay whole or go whole, whatever numbers they hold."""
    marks: bool = False
    """Honour and strip `<pith …>` and `<llmlingua …>` marks in the text."""
    fidelity: Fidelity = "native"
    """`compat`: as llmlingua 0.2.2 would, with weights of LLMLingua-2; laws 1, 2 and 9 do not hold."""
    tokenizer: str = "o200k_base"
    """tiktoken encoding of the target model: what "tokens" means in every count and budget."""

    def __post_init__(self) -> None:
        for name, value in (("rate", self.rate), *(("rates", step.rate) for step in self.rates)):
            if not 0.0 < value <= 1.0:
                raise ParamsError(f"{name} is {value!r}: must be above 0 and at most 1, e.g. 0.5")
        for name, share in (
            ("threshold", self.threshold),
            ("min_rate", self.min_rate),
            ("max_rate", self.max_rate),
        ):
            if share is not None and not 0.0 <= share <= 1.0:
                raise ParamsError(f"{name} is {share!r}: must be between 0 and 1")
        if self.min_rate > self.max_rate:
            raise ParamsError(f"min_rate is {self.min_rate!r}, above max_rate {self.max_rate!r}: swap them")
        if self.target_tokens is not None and self.target_tokens < 1:
            raise ParamsError(f"target_tokens is {self.target_tokens!r}: must be at least 1")
        for name, count in (
            ("min_tokens", self.min_tokens),
            ("protect.head_tokens", self.protect.head_tokens),
            ("protect.tail_tokens", self.protect.tail_tokens),
        ):
            if count < 0:
                raise ParamsError(f"{name} is {count!r}: must be 0 or more")
        if "" in self.force_tokens:
            raise ParamsError('force_tokens holds "": remove the empty literal')
        self._check_fidelity()

    def _check_fidelity(self) -> None:
        if self.fidelity not in get_args(Fidelity):
            raise ParamsError(f"fidelity is {self.fidelity!r}: use {' or '.join(get_args(Fidelity))}")
        if self.fidelity == "native":
            return
        protect = self.protect
        for name, is_given in (
            ("threshold", self.threshold is not None),
            ("marks", self.marks),
            ("minify_json", self.minify_json),
            ("drop_repeats", self.drop_repeats),
            ("whole_lines", self.whole_lines),
            ("protect.head_tokens", protect.head_tokens),
            ("protect.tail_tokens", protect.tail_tokens),
            ("protect.patterns", protect.patterns),
        ):
            if is_given:
                raise ParamsError(f"fidelity is 'compat', which knows no {name}: remove it, or use native")
        if len(self.force_tokens) > MAX_FORCE_TOKENS:
            raise ParamsError(
                f"fidelity is 'compat' and force_tokens holds {len(self.force_tokens)}: "
                f"give at most {MAX_FORCE_TOKENS}, or use native"
            )

    @property
    def may_cut_losslessly(self) -> bool:
        """Whether what says nothing may be left out of a text before it is looked at."""
        return self.minify_json or self.drop_repeats

    @property
    def may_cut_first(self) -> bool:
        """Whether anything may."""
        return self.marks or self.may_cut_losslessly

    def rate_for(self, origin_tokens: int) -> float:
        """The rate in force for a text of `origin_tokens` target tokens."""
        for step in self.rates:
            if step.to_tokens is None or origin_tokens <= step.to_tokens:
                return step.rate
        return self.rates[-1].rate if self.rates else self.rate
