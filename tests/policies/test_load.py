from __future__ import annotations

from pathlib import Path

import pytest

import policies
from policies.errors import PolicyError
from policies.lint import lint
from policies.load import default_policies, load_policies, packaged

PACKAGE = Path(policies.__file__).parent
FILES = [PACKAGE / "default.yaml", *sorted((PACKAGE / "examples").glob("*.yaml"))]


def test_load() -> None:
    policy_set = load_policies("policies: [{name: a}]", "p.yaml")
    assert [policy.name for policy in policy_set.policies] == ["a"]
    assert policy_set.source == "p.yaml"


def test_the_list_may_be_empty_but_not_missing() -> None:
    assert load_policies("policies: []", "p.yaml").policies == ()
    with pytest.raises(PolicyError, match=r"p\.yaml: policies: is missing; add it"):
        load_policies("", "p.yaml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_ships_is_clean(path: Path) -> None:
    assert lint(path.read_text(encoding="utf-8"), path.name) == []


def test_the_examples_ship() -> None:
    assert {path.stem for path in FILES} >= {"rag", "agent-tools", "shadow-rollout", "ab-test"}
    assert packaged("examples/rag").is_file()


def test_the_default_as_promised() -> None:
    (default,) = default_policies().policies
    params = default.params
    assert (default.mode, params.rate, params.min_tokens, params.structure_guard) == ("on", 0.6, 500, True)
    assert params.roles == ("user", "tool")
    assert params.force_reserve_digit
    assert default.match.is_empty
