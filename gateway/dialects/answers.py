"""How the answers of one API say what they cost; the tap takes an `AnswerShape` as an argument.

The functions are pure, take a parsed JSON object (a whole answer, or one event of a stream), and never raise:
an upstream's odd answer is no trouble of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gateway.usage import output_characters

Told: TypeAlias = Mapping[str, Any]
"""A usage in the spelling of chat completions, which `usage.read_usage` reads."""


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """What the tap needs to know."""

    usage: Callable[[Mapping[str, Any], Told | None], Told | None]
    """The usage told so far: by this answer or event, and by the events before."""
    characters: Callable[[Mapping[str, Any]], int]
    """How many characters of output an event brings."""
    is_last: Callable[[Mapping[str, Any]], bool] = lambda event: False
    """Whether an event says that the answer is whole (`[DONE]` always does)."""
    finish: Callable[[Mapping[str, Any]], str | None] = lambda answer: None
    """Why the answer ended, in the word of its API; FAILED where it says that it broke off."""
    id: Callable[[Mapping[str, Any]], str | None] = lambda answer: None
    """The name under which the upstream keeps the answer for later turns, where it does."""
    is_billed: bool = True
    """Whether asking costs anything and saves anything."""


def chat_usage(answer: Mapping[str, Any], earlier: Told | None) -> Told | None:
    """As chat completions tell it: in the answer, or in one of the events, the last one counting."""
    told = answer.get("usage")
    if not isinstance(told, Mapping):
        return earlier if told is None else {}
    return {"service_tier": answer.get("service_tier"), **told}


_HOLDERS: Final = ("response", "message")
"""Where the events of responses and of messages tell of the answer itself."""
_MAX_MODEL: Final = 200


def model_of(answer: Mapping[str, Any]) -> str | None:
    """The model that an answer, or an event of any of the dialects, says it is from."""
    for holder in (answer, *(answer.get(name) for name in _HOLDERS)):
        model = holder.get("model") if isinstance(holder, Mapping) else None
        if isinstance(model, str) and model:
            return model[:_MAX_MODEL]
    return None


FAILED: Final = "failed"
"""As `finish`: the answer tells of an error amid itself."""
_WORD: Final = re.compile(r"[a-z][a-z_]{0,31}")
_LIMIT: Final = "length"


def word(value: object) -> str | None:
    """A reason to end, if it looks like one: it is put on record."""
    if not isinstance(value, str):
        return None
    return value if _WORD.fullmatch(value) else "other"


def chat_finish(answer: Mapping[str, Any]) -> str | None:
    """That of its choices; where there are several, one that reached its limit counts."""
    if answer.get("error") is not None and isinstance(answer["error"], Mapping):
        return FAILED
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return None
    given = [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
    said = [word(reason) for reason in given if reason is not None]  # few events say any
    return _LIMIT if _LIMIT in said else next(filter(None, said), None)


CHAT_ANSWERS = AnswerShape(chat_usage, output_characters, finish=chat_finish)


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}
