"""That the bench of classifiers runs, and makes tokenizers of the kinds that it says."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from compressor.scorers.stretches import is_local
from tests.bench_classifiers import KINDS, main


def test_it_runs() -> None:
    asked = ["--tokens", "300", "--text-tokens", "300", "--repeats", "1", "--json"]
    result = CliRunner().invoke(main, asked, catch_exceptions=False)
    found = json.loads(result.stdout)["us_per_token"]
    assert set(found) == set(KINDS)
    for stages in found.values():
        assert stages["all but the model"] > stages["encode"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_differ_in_what_they_look_at(kind: str) -> None:
    tokenizer, _ = KINDS[kind]()
    assert is_local(json.loads(tokenizer.to_str())) == (kind != "byte-level BPE")
