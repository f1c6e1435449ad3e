"""gateway.dashboard.explaining: what is shown is what a request would get, and texts are scored once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from compressor import CompressionParams, Engine, counter
from compressor.types import Chunk
from gateway.dashboard.explaining import KEPT_TEXTS, Explainer
from gateway.dashboard.scorers import choices
from gateway.dashboard.trial import read_trial
from gateway.services import Services
from tests.e2e.whole_gateway import LONG
from tests.fakes import LengthScorer
from tests.gateway.pipeline import pipeline, policy_set

PARAMS = {"rate": 0.5, "min_tokens": 10, "protect": {"head_tokens": 10, "tail_tokens": 0}}
TEXT = f"See https://example.org/a. It cost 61,300 dollars.\n{LONG}"


class Counting(LengthScorer):
    """Counts how often it is asked."""

    def __init__(self, *, is_broken: bool = False) -> None:
        super().__init__()
        self.n_asked = 0
        self.is_broken = is_broken

    def forward(self, batch: Sequence[Chunk]) -> Any:
        self.n_asked += 1
        if self.is_broken:
            raise RuntimeError("the device is gone")
        return super().forward(batch)


def services(engine: Engine, **policy: Any) -> Services:
    parts = pipeline(policy_set({"name": "rag", "params": PARAMS, **policy})).services
    return replace(parts, engine=engine)


async def explained(explainer: Explainer, parts: Services, **body: Any) -> dict[str, Any]:
    scorers = choices(parts.config.compressor)
    answer = await explainer.answer(read_trial(body, parts.policies.current.policies, scorers))
    said: dict[str, Any] = json.loads(json.dumps(answer))
    return said


async def test_every_word_is_there_once_and_what_is_kept_is_what_goes_on() -> None:
    async with Engine(LengthScorer()) as engine:
        parts = services(engine)
        said = await explained(Explainer(parts), parts, input=TEXT, model="gpt-4o-mini")
        [text] = said["texts"]
        params = CompressionParams(tokenizer="o200k_base", **{**PARAMS, "protect": read_protect()})
        [result] = await engine.compress([TEXT], params)
    assert "".join(piece for piece, _ in text["pieces"]) == TEXT
    assert text["text"] == result.text
    assert (said["origin_tokens"], said["compressed_tokens"]) == (
        result.origin_tokens,
        result.compressed_tokens,
    )
    fates = {fate for _, fate in text["pieces"]}
    assert fates == {"kept", "dropped", "forced", "protected"}
    assert sum(of["tokens"] for of in text["fates"].values()) == pytest.approx(
        counter("o200k_base").count(TEXT), abs=1
    )
    assert said["saved_usd"] == pytest.approx((result.origin_tokens - result.compressed_tokens) * 0.15e-6)


def read_protect() -> Any:
    [policy] = policy_set({"name": "rag", "params": PARAMS}).policies
    assert policy.params.protect is not None
    return policy.params.protect.to_protect()


async def test_a_text_is_scored_once_however_the_slider_moves() -> None:
    scorer = Counting()
    async with Engine(scorer) as engine:
        parts = services(engine)
        explainer = Explainer(parts)
        sent = []
        for rate in (0.9, 0.5, 0.2):
            said = await explained(explainer, parts, input=TEXT, rate=rate)
            sent.append(said["compressed_tokens"])
            assert f"rate: {rate}" in said["yaml"]
        assert sent == sorted(sent, reverse=True)
        assert len(set(sent)) == 3
        n_asked = scorer.n_asked
        await explained(explainer, parts, input=TEXT, threshold=0.5)
        assert scorer.n_asked == n_asked
        for n in range(KEPT_TEXTS):
            await explained(explainer, parts, input=f"{n} {LONG}")
        n_asked = scorer.n_asked
        await explained(explainer, parts, input=TEXT)
        assert scorer.n_asked > n_asked, "only so many are kept"


async def test_of_a_request_only_the_roles_of_the_policy_are_compressed() -> None:
    messages = [{"role": "system", "content": LONG}, {"role": "user", "content": LONG}]
    async with Engine(LengthScorer()) as engine:
        parts = services(engine)
        said = await explained(
            Explainer(parts),
            parts,
            input=json.dumps({"model": "my-own", "messages": messages}),
            model="gpt-4o",
        )
    system, user = said["texts"]
    assert (system["is_covered"], system["skip"], system["pieces"]) == (False, None, [[LONG, "kept"]])
    assert system["origin_tokens"] == system["compressed_tokens"] > user["compressed_tokens"]
    assert (user["role"], user["is_covered"], user["skip"]) == ("user", True, None)
    assert (said["model"], said["is_exact"], said["saved_usd"]) == ("my-own", False, None)


@pytest.mark.parametrize(("policy", "skip"), [({"mode": "off"}, None), ({}, "scorer_down")])
async def test_what_is_left_whole_says_why(policy: dict[str, Any], skip: str | None) -> None:
    async with Engine(Counting(is_broken=True)) as engine:
        parts = services(engine, **policy)
        [text] = (await explained(Explainer(parts), parts, input=TEXT))["texts"]
    assert (text["skip"], text["pieces"], text["text"], text["fates"]) == (skip, [[TEXT, "kept"]], TEXT, {})


async def test_an_empty_text_is_no_trouble() -> None:
    async with Engine(LengthScorer()) as engine:
        parts = services(engine)
        [text] = (await explained(Explainer(parts), parts, input=""))["texts"]
    assert (text["pieces"], text["origin_tokens"], text["skip"]) == ([], 0, "short")


async def test_another_scorer_may_be_asked_and_the_setting_for_it_is_told() -> None:
    scorer = Counting()
    async with Engine(scorer) as engine:
        parts = services(engine)
        explainer = Explainer(parts)
        loaded = await explained(explainer, parts, input=TEXT, rate=0.5)
        n_asked = scorer.n_asked
        other = await explained(explainer, parts, input=TEXT, rate=0.5, scorer="frequency")
        assert scorer.n_asked == n_asked
        again = await explained(explainer, parts, input=TEXT, rate=0.5)
    assert loaded == again, "scores of one are not taken for the other's"
    assert other["texts"] != loaded["texts"]
    assert loaded["scorer"] == engine.fingerprint
    assert other["scorer"].startswith("frequency-")
    assert other["yaml"] == f"# with compressor.scorer: frequency in the configuration\n{loaded['yaml']}"
