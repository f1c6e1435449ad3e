from __future__ import annotations

import pytest
from pydantic import ValidationError

from policies.params import PolicyParams
from policies.schema import Experiment, Match, Policy, PolicyDocument


def read(**said: object) -> Policy:
    return Policy.model_validate({"name": "p", **said})


def refused(**said: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**said)
    return str(caught.value.errors()[0]["msg"])


def arms(*variants: dict[str, object], salt: str = "s") -> dict[str, object]:
    return {"salt": salt, "variants": list(variants)}


def test_defaults() -> None:
    policy = read()
    assert (policy.mode, policy.cache_scope, policy.apply) == ("on", "tenant", "pinned")
    assert policy.match.is_empty
    assert policy.params == PolicyParams()
    assert policy.experiment is None


@pytest.mark.parametrize("name", ["", " a", "a b", "-a", "a" * 65, "é", "a\n"])
def test_names_are_plain(name: str) -> None:
    assert "use up to 64 letters" in refused(name=name)


def test_header_names_are_folded() -> None:
    assert Match(header={"X-App": "Rag"}).header == {"x-app": "Rag"}
    with pytest.raises(ValidationError, match="differ only in case"):
        Match(header={"X-App": "a", "x-app": "b"})


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (arms({"name": "a", "weight": 1}, salt=""), "use some printable text"),
        (arms({"name": "a", "weight": 1}, salt="a\x1fb"), "use some printable text"),
        (arms({"name": "a", "weight": -1}), "a weight must be 0 or more"),
        (arms({"name": "a", "weight": 0}), "no variant has a weight above 0"),
        (arms(), "no variant has a weight above 0"),
        (arms({"name": "a", "weight": 1}, {"name": "a", "weight": 1}), "two of variant 'a'"),
        (arms({"name": "a b", "weight": 1}), "use up to 64 letters"),
    ],
)
def test_experiments_that_cannot_deal(experiment: dict[str, object], message: str) -> None:
    assert message in refused(experiment=experiment)


def test_variants_are_checked_together_with_the_policy() -> None:
    message = refused(
        params={"threshold": 0.5, "min_rate": 0.8},
        experiment=arms({"name": "a", "weight": 1, "params": {"max_rate": 0.2}}),
    )
    assert "variant 'a' together with the policy's params: min_rate is 0.8, above max_rate 0.2" in message


def test_variant_params() -> None:
    policy = read(
        params={"rate": 0.5, "min_tokens": 9},
        experiment=arms({"name": "a", "weight": 1}, {"name": "b", "weight": 1, "params": {"rate": 0.3}}),
    )
    assert policy.variant_params == {
        "a": policy.params,
        "b": PolicyParams(rate=0.3, min_tokens=9),
    }


def test_policy_names_differ() -> None:
    with pytest.raises(ValidationError, match="two of policy 'p'"):
        PolicyDocument.model_validate({"policies": [{"name": "p"}, {"name": "p"}]})


def test_version_is_of_the_content() -> None:
    one = read(mode="on", params={"rate": 0.5, "min_tokens": 3})
    assert one.version == read(params={"min_tokens": 3, "rate": 0.5}).version
    assert one.version != read(params={"min_tokens": 4, "rate": 0.5}).version
    assert one.version != read(name="q", params={"min_tokens": 3, "rate": 0.5}).version
    assert len(one.version) == 12


def test_version_is_the_same_in_every_release() -> None:
    assert read(params={"rate": 0.5, "protect": {"json": False}}).version == "1a30d1d10d05"


def test_values_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read().mode = "off"
    assert isinstance(hash(Experiment.model_validate(arms({"name": "a", "weight": 1}))), int)
