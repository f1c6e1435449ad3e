from __future__ import annotations

import pytest
from pydantic import ValidationError

from policies.design import DEFAULT_MARGINS
from policies.params import PolicyParams
from policies.schema import Experiment, Match, Policy, PolicyDocument, Variant


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
        (arms({"name": "holdout", "weight": 1}), "a variant is named 'holdout'"),
        (arms({"name": "tie", "weight": 1}), "a variant is named 'tie', as a verdict"),
        (arms({"name": "none", "weight": 1}), "a variant is named 'none', as a verdict"),
        (arms({"name": "a", "weight": 1e308}, {"name": "b", "weight": 1e308}), "too large to be summed"),
    ],
)
def test_experiments_that_cannot_deal(experiment: dict[str, object], message: str) -> None:
    assert message in refused(experiment=experiment)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"control": "bb"}, "control 'bb' is the name of no variant; did you mean 'b'?"),
        ({"unit": "session"}, "'conversation', 'key' or 'user'"),
        ({"share": 1.01}, "must be from 0 up to 1"),
        ({"holdout": 1}, "nobody would take part"),
        ({"plan": {"effect": 0}}, "must be above 0 to below 1"),
        ({"plan": {"power": 0.5}}, "must be above 0.5 to below 1"),
        ({"plan": {"min_days": -1}}, "must be from 0 up to 365"),
        ({"plan": {"units": 1}}, "must be from 2 to below 1e+12"),
        ({"primary": "biled_cost"}, "there is no such metric; did you mean 'billed_cost'?"),
        ({"guardrails": {"eror": 0.1}}, "there is no such metric; did you mean 'errors'?"),
        ({"guardrails": {"output_tokens": 0.1}}, "there is no such metric"),
        ({"guardrails": {"errors": 1}}, "must be from 0 to below 1"),
        ({"guardrails": [1]}, "valid dictionary"),
        ({"primary": "errors", "guardrails": {"errors": 0.1}}, "the primary metric and a guardrail"),
        ({"slo_ms": 0}, "must be above 0"),
        ({"mirror": {"share": -1}}, "must be from 0 up to 1"),
        ({"mirror": {"judge": {"upstream": " ", "model": "m"}}}, "must not be empty"),
        ({"mirror": {"judge": {"upstream": "u"}}}, "Field required"),
    ],
)
def test_experiments_that_cannot_be_read(said: dict[str, object], message: str) -> None:
    assert message in refused(
        experiment={**arms({"name": "a", "weight": 1}, {"name": "b", "weight": 1}), **said}
    )


def test_what_an_experiment_is_by_itself() -> None:
    experiment = Experiment.model_validate(arms({"name": "a", "weight": 1}))
    assert (experiment.unit, experiment.share, experiment.holdout) == ("conversation", 1.0, 0.0)
    assert (experiment.primary, experiment.slo_ms, experiment.mirror) == ("billed_cost", 2000, None)
    assert experiment.guardrails == DEFAULT_MARGINS
    assert (experiment.plan.effect, experiment.plan.units, experiment.plan.min_days) == (0.05, None, 7)
    judged = Experiment.model_validate(
        {
            **arms({"name": "a", "weight": 1}),
            "mirror": {"judge": {"upstream": "u", "model": "m"}},
        }
    )
    assert judged.mirror is not None
    assert (judged.mirror.share, judged.mirror.per_minute, judged.mirror.keep_reasons) == (0.01, 30, False)


def test_a_primary_metric_may_be_a_guardrail_by_default() -> None:
    assert Experiment.model_validate({**arms({"name": "a", "weight": 1}), "primary": "errors"}).guardrails


@pytest.mark.parametrize(
    ("control", "modes", "name"),
    [
        (None, ("on", "off", "off"), "b"),
        (None, (None, "shadow", "on"), "a"),
        ("c", ("off", "off", "on"), "c"),
    ],
)
def test_the_control_is_named_or_the_first_that_is_off(
    control: str | None, modes: tuple[str | None, ...], name: str
) -> None:
    variants: list[dict[str, object]] = [
        {"name": n, "weight": 1, "mode": mode} for n, mode in zip("abc", modes, strict=True)
    ]
    assert Experiment.model_validate({**arms(*variants), "control": control}).control_name == name


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


@pytest.mark.parametrize(
    ("said", "is_new"),
    [
        ({"salt": "t"}, True),
        ({"variants": [{"name": "a", "weight": 2}, {"name": "b", "weight": 1}]}, True),
        ({"variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1, "mode": "off"}]}, True),
        ({"unit": "key"}, True),
        ({"holdout": 0.1}, True),
        ({"control": "b"}, True),
        ({"plan": {"units": 1000}}, True),
        ({"guardrails": {"errors": 0.1}}, True),
        ({"slo_ms": 1}, True),
        ({"share": 0.5}, False),
        ({"mirror": {}}, False),
    ],
)
def test_what_begins_a_new_version_of_an_experiment(said: dict[str, object], is_new: bool) -> None:
    before = arms({"name": "a", "weight": 1}, {"name": "b", "weight": 1})
    versions = {read(experiment=experiment).version for experiment in (before, {**before, **said})}
    assert len(versions) == 1 + is_new


def test_version_is_the_same_in_every_release() -> None:
    assert read(params={"rate": 0.5, "protect": {"json": False}}).version == "1a30d1d10d05"


def test_values_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read().mode = "off"
    assert isinstance(hash(Variant(name="a", weight=1)), int)
