"""Which output means keep."""

from __future__ import annotations

import pytest

from compressor.errors import ModelError
from compressor.scorers.labels import Keep, keep_label


@pytest.mark.parametrize(
    ("labels", "index"),
    [
        ({0: "LABEL_0", 1: "LABEL_1"}, 1),
        ({0: "drop", 1: "keep"}, 1),
        ({0: " Keep ", 1: "drop"}, 0),
        ({0: "1", 1: "0"}, 0),
        ({0: "preserve", 1: "discard"}, 0),
    ],
)
def test_a_label_named_like_keeping_is_it(labels: dict[int, str], index: int) -> None:
    found = keep_label("m", 2, labels)
    assert (found.index, found.other) == (index, 1 - index)
    assert f"label {index} of {list(labels.values())}" in found.reason


@pytest.mark.parametrize("labels", [{0: "O", 1: "X"}, {0: "keep", 1: "kept"}, {}])
def test_otherwise_index_1_of_two_is_it(labels: dict[int, str]) -> None:
    found = keep_label("m", 2, labels)
    if labels:
        assert (found.index, found.other) == (1, 0)
        assert "so index 1 is taken" in found.reason
    else:
        assert found.index == 1  # unnamed labels are LABEL_0 and LABEL_1


def test_one_output_is_the_logit() -> None:
    assert keep_label("m", 1, {0: "x"}) == Keep(0, None, "the only output, 'x', is the logit of keeping")


@pytest.mark.parametrize("n_labels", [0, 3, 9])
def test_any_other_number_is_refused_with_what_was_found(n_labels: int) -> None:
    with pytest.raises(
        ModelError, match=rf"model 'ner': {n_labels} labels \[.*choose a model trained for that"
    ):
        keep_label("ner", n_labels, {at: f"B-{at}" for at in range(n_labels)})
