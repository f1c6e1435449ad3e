"""gateway.dashboard.scorers: which may be chosen, and that each scores as it does for requests."""

from __future__ import annotations

import pytest

from compressor import Engine, ScoreRequest
from compressor.scorers import load
from compressor.words import split
from gateway.dashboard.scorers import BESIDE, Beside, choices
from gateway.refusal import Refusal
from gateway.settings import CompressorConfig
from tests.e2e.whole_gateway import LONG


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, ["loaded", "frequency"]),
        ({"scorer": "embedded"}, ["loaded", "frequency"]),
        ({"scorer": "frequency"}, ["loaded", "default"]),
        ({"scorer": "/models/own"}, ["loaded", "default", "frequency"]),
        ({"remote": "http://gpu:8080"}, ["loaded", "default", "frequency"]),
    ],
)
def test_what_requests_use_is_not_there_twice(config: dict[str, str], names: list[str]) -> None:
    assert list(choices(CompressorConfig(**config))) == names  # type: ignore[arg-type]  # as written


@pytest.mark.parametrize("name", BESIDE)
async def test_a_text_scores_as_it_does_for_requests(name: str) -> None:
    request = ScoreRequest(LONG, split(LONG))
    beside = Beside()
    found = await beside.score(name, request)
    async with Engine(load(BESIDE[name], "cpu")) as engine:
        [expected] = await engine.score([request])
        assert (await beside.get(name)).fingerprint == engine.fingerprint
    assert not isinstance(expected, Exception)
    assert found.tolist() == expected.tolist()
    assert await beside.get(name) is await beside.get(name)


async def test_one_that_cannot_be_loaded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BESIDE, "default", "/nowhere/at/all")
    with pytest.raises(Refusal, match="scorer default cannot be loaded"):
        await Beside().score("default", ScoreRequest("a", split("a")))
