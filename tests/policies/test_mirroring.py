"""What a policy may say of mirrored requests, their judge, and the texts it keeps."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.experiments.judge import PROMPT
from policies.design import JUDGE_SLOTS, Judge, Mirror
from policies.schema import Policy


def test_callers_pay_for_nothing_unless_the_policy_says_so() -> None:
    assert not Mirror().callers_keys
    assert not Mirror().keep_reasons


def test_a_judges_prompt_has_a_place_for_everything() -> None:
    with pytest.raises(ValidationError, match=r"lacks \{answer_1\} and \{answer_2\}"):
        Judge(upstream="u", model="m", prompt="{conversation}")
    text = "\n".join(JUDGE_SLOTS)
    assert Judge(upstream="u", model="m", prompt=text).prompt == text
    assert Judge(upstream="u", model="m", prompt=PROMPT).prompt == PROMPT


def test_keeping_texts_is_off_and_begins_no_new_version() -> None:
    silent = Policy(name="p")
    keeping = Policy(name="p", keep_texts=True)
    assert not silent.keep_texts
    assert keeping.version == silent.version
