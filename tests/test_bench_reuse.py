"""That the bench of reuse runs, and what it says of texts that did not change."""

from __future__ import annotations

import json

from click.testing import CliRunner

from compressor.scorers.rows import RowFront
from compressor.scorers.tokenizer import TextTokenizer
from tests.bench_classifiers import KINDS
from tests.bench_reuse import CHANGES, LIMITS, main, share_known

TEXT = "\n".join(f"line {i} of the very same text" for i in range(300))


def test_it_runs() -> None:
    ran = CliRunner().invoke(main, ["--repeats", "2", "--text-tokens", "600"], catch_exceptions=False)
    assert [line.split()[2] for line in ran.stdout.splitlines()] == list(CHANGES)


def test_all_of_the_same_text_is_known_and_nothing_of_another() -> None:
    tokenizer, trainer = KINDS["WordPiece"]()
    tokenizer.train_from_iterator([TEXT], trainer)
    front = RowFront(TextTokenizer(json.loads(tokenizer.to_str()), "test"), LIMITS)
    assert share_known(front, TEXT, TEXT) == 1
    assert share_known(front, TEXT, TEXT.replace("very", "other")) == 0
    assert 0 < share_known(front, TEXT, f"{TEXT}\none more") < 1
