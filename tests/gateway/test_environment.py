"""`env:NAME` is the only way to name a variable, and what it stands for must be there."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, ValidationError, ValidationInfo

from gateway.environment import value_of, variable_of


@pytest.mark.parametrize("written", ["env:A", "env:_a1", "env:LONG_NAME_2"])
def test_a_variable_is_named_behind_env(written: str) -> None:
    assert variable_of(written) == written[4:]


@pytest.mark.parametrize("written", ["A", "env:", "env:1A", "env:A-B", "env:A\n", "ENV:A", " env:A", None, 5])
def test_nothing_else_names_one(written: object) -> None:
    assert variable_of(written) is None


def look_up(name: str, info: ValidationInfo) -> str:
    return value_of(name, info, remedy="do something about it")


class Setting(BaseModel):
    value: Annotated[str, AfterValidator(look_up)]


def test_the_value_is_that_of_the_environment_given() -> None:
    assert Setting.model_validate({"value": "A"}, context={"env": {"A": "a"}}).value == "a"


@pytest.mark.parametrize("env", [{}, {"A": ""}])
def test_a_variable_without_a_value_is_an_error_that_says_what_to_do(env: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="variable A is not set; do something about it"):
        Setting.model_validate({"value": "A"}, context={"env": env})
