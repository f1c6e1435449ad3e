from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field

from policies.errors import PolicyError
from policies.parse import Document, parse
from policies.validate import shown, suggestion, validate


class Leaf(BaseModel, extra="forbid"):
    size: int
    json_: bool = Field(default=False, alias="json")


def even(number: int) -> int:
    if number % 2:
        raise ValueError(f"value {number}: must be even; add 1")
    return number


class Tree(BaseModel, extra="forbid"):
    leaf: Leaf | None = None
    inner: Tree | None = None
    pair: Annotated[int, AfterValidator(even)] | tuple[Annotated[int, AfterValidator(even)], ...] = ()
    leaves: tuple[Annotated[Leaf, "any"], ...] = ()
    named: dict[str, Leaf] = Field(default_factory=dict)
    mode: Literal["on", "off"] = "on"
    label: str = ""
    share: float = Field(default=0.5, allow_inf_nan=False)
    few: tuple[int, ...] = Field(default=(), max_length=2)


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        validate(Tree, parse(text, "t.yaml"))
    return str(caught.value).split("\n")


def test_a_good_document() -> None:
    assert validate(Tree, parse("leaf: {size: 3, json: true}", "t")).leaf == Leaf(size=3, json=True)


def test_an_empty_document_is_an_empty_mapping() -> None:
    assert validate(Tree, parse("", "t")) == Tree()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("leaf: {}", "t.yaml:1: leaf.size: is missing; add it"),
        ("\nleef: {}", "t.yaml:2: leef: unknown key; did you mean 'leaf'?"),
        ("leaf: {size: 1, jsn: 1}", "t.yaml:1: leaf.jsn: unknown key; did you mean 'json'?"),
        ("named: {a: {size: 1, siez: 1}}", "t.yaml:1: named.a.siez: unknown key; did you mean 'size'?"),
        ("leaves: [{size: 1, q: 1}]", "t.yaml:1: leaves[0].q: unknown key; known here: json, size"),
        ("mode: onn", "t.yaml:1: mode: value 'onn': must be 'on' or 'off'"),
        ("mode: true", "t.yaml:1: mode: value True: must be 'on' or 'off'"),
        ("label: 5", "t.yaml:1: label: value 5: must be text; put it in quotes"),
        ("leaf: {size: x}", "t.yaml:1: leaf.size: value 'x': must be a whole number, e.g. 500"),
        ("leaf: 4", "t.yaml:1: leaf: value 4: must be a mapping of keys to values"),
        ("leaf: {size: 1, json: 7}", "t.yaml:1: leaf.json: value 7: must be true or false"),
        ("leaves: 4", "t.yaml:1: leaves: value 4: must be a list"),
        ("leaves: [{size: 1}, 2]", "t.yaml:1: leaves[1]: value 2: must be a mapping of keys to values"),
        ("named: [1]", "t.yaml:1: named: value [1]: must be a mapping of keys to values"),
        ("share: half", "t.yaml:1: share: value 'half': must be a number, e.g. 0.5"),
        ("share: .nan", "t.yaml:1: share: value nan: must be an ordinary number, e.g. 0.5"),
        ("share:", "t.yaml:1: share: value nothing: must be a number, e.g. 0.5"),
        (
            "inner: {inner: {leaf: {sise: 1, size: 2}}}",
            "t.yaml:1: inner.inner.leaf.sise: unknown key; did you mean 'size'?",
        ),
        (
            "\npair: 3",
            "t.yaml:2: pair: value 3: must be even; add 1\nt.yaml:2: pair: value 3: must be a list",
        ),
        ("[1]", "t.yaml:1: value [1]: must be a mapping of keys to values"),
    ],
)
def test_problems_read_well(text: str, problem: str) -> None:
    assert problems(text) == problem.split("\n")


def test_other_pydantic_errors_keep_their_words() -> None:
    assert problems("few: [1, 2, 3]")[0].startswith(
        "t.yaml:1: few: value [1, 2, 3]: tuple should have at most 2"
    )


def test_every_problem_is_listed_in_the_order_of_the_lines() -> None:
    found = problems("zzz: 1\nlabel: 5\nleaf: {}\n")
    assert [line.split(": ")[0] for line in found] == ["t.yaml:1", "t.yaml:2", "t.yaml:3"]


def test_the_value_of_an_unknown_key_is_never_shown() -> None:
    assert "sk-secret" not in "".join(problems("pasword: sk-secret\nleaf: {size: 1, token: sk-secret}"))


def test_a_document_without_lines_names_its_source() -> None:
    with pytest.raises(PolicyError, match=r"^inline: label: value 5"):
        validate(Tree, Document({"label": 5}, "inline", {}))


def test_suggestion() -> None:
    assert suggestion("polices", ["policies", "mode"]) == "; did you mean 'policies'?"
    assert suggestion("q", ["b", "a"]) == "; known here: a, b"
    assert suggestion("q", []) == ""


def test_shown_is_short() -> None:
    assert shown(None) == "nothing"
    assert len(shown("x" * 1000)) == 58
