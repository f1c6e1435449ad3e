"""What the package's own test expects of the real checkpoint: six outputs, as digests.

Its sentences belong to their project and are read from a copy of its test: `tests/test_llmlingua2.py` of
microsoft/LLMLingua at e0e9d99, whose path the variable LLMLINGUA_TEST gives. A changed copy is refused.
"""

from __future__ import annotations

import ast
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compressor.compat_prompt import PromptOptions

CHECKPOINT = "microsoft/llmlingua-2-xlm-roberta-large-meetingbank"
FILE = os.environ.get("LLMLINGUA_TEST", "test_llmlingua2.py")
_INPUTS = {
    "PROMPT": "762a4aa9ec28f93a",
    "GSM8K_PROMPT": "7aeb1ca4fa6e61f3",
    "MEETINGBANK_PROMPT": "8e1201d61a7c45a9",
    "LONGBENCH_PROMPT_LIST": "3c78c474dd2f451d",
}
_ENDS = ("\n", ".", "!", "?")
_SIGNS = ("+", "-", "*", "×", "/", "÷", "=", "The answer is", "\n")
_TOPICS = (
    *("\n", "。", "：", "？", "类别：", "农业、农村", "军事", "文学、艺术", "体育", "传媒业", "电子信息产业"),
    *("文化、休闲娱乐", "社会、劳动", "经济", "服务业、旅游业", "环境、气象", "能源、水务、水利"),
    *("财政、金融", "教育", "科学技术", "对外关系、国际关系", "矿业、工业", "政治", "交通运输、邮政、物流"),
    *("灾难、事故", "基本建设、建筑业、房地产", "医药、卫生", "法律、司法", "商业、外贸、海关"),
)
_FILTERED = PromptOptions(use_context_level_filter=True)


@dataclass(frozen=True, slots=True)
class Expected:
    """A question, the constant its text is in (`is_first`: up to its first empty line), and the answer."""

    source: str
    is_first: bool
    options: PromptOptions
    output: str
    tokens: tuple[int, int]
    ratio: str
    rate: str


EXPECTED = (
    Expected(
        "PROMPT",
        False,
        PromptOptions(rate=0.33, force_tokens=_ENDS),
        "e615f3e335736b28",
        (98, 30),
        "3.3x",
        "30.6%",
    ),
    Expected(
        "PROMPT",
        False,
        replace(_FILTERED, target_token=40, force_tokens=_ENDS),
        "1b4173d0abf4519a",
        (98, 34),
        "2.9x",
        "34.7%",
    ),
    Expected(
        "GSM8K_PROMPT",
        True,
        PromptOptions(target_token=170, force_tokens=(*_SIGNS, "Question:"), force_reserve_digit=True),
        "c42474a62e9dc055",
        (422, 203),
        "2.1x",
        "48.1%",
    ),
    Expected(
        "MEETINGBANK_PROMPT",
        True,
        PromptOptions(target_token=150, force_tokens=("\n", ".", "?", "!"), drop_consecutive=True),
        "92196d3f46e28481",
        (464, 154),
        "3.0x",
        "33.2%",
    ),
    Expected(
        "GSM8K_PROMPT",
        False,
        replace(_FILTERED, target_token=150, force_tokens=_SIGNS, force_reserve_digit=True),
        "dc599395e4da9f67",
        (726, 161),
        "4.5x",
        "22.2%",
    ),
    Expected(
        "LONGBENCH_PROMPT_LIST",
        False,
        replace(_FILTERED, target_token=1000, force_tokens=_TOPICS, drop_consecutive=True),
        "ae321f62f3b5e925",
        (8389, 870),
        "9.6x",
        "10.4%",
    ),
)


def is_at_hand() -> bool:
    """Whether the checkpoint lies in the hub's cache and the package's test where it is said to be."""
    from huggingface_hub import try_to_load_from_cache

    return Path(FILE).is_file() and isinstance(try_to_load_from_cache(CHECKPOINT, "config.json"), str)


def contexts(expected: Expected) -> str | list[str]:
    """The question's text or texts, from the package's test."""
    value = _constants()[expected.source]
    if digest("\0".join(value) if isinstance(value, list) else value) != _INPUTS[expected.source]:
        raise ValueError(f"{FILE}: {expected.source} is not that of microsoft/LLMLingua at e0e9d99")
    if isinstance(value, list):
        return [str(text) for text in value]
    parts = str(value).split("\n\n")
    if expected.is_first:
        return parts[0]
    return parts if expected.options.use_context_level_filter else str(value)


def digest(text: str) -> str:
    """Of a text, short."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _constants() -> dict[str, Any]:
    tree = ast.parse(Path(FILE).read_text("utf-8"))
    statements = (
        statement for node in tree.body if isinstance(node, ast.ClassDef) for statement in node.body
    )
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in statements
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
