"""Our encoder beside transformers' own: the same logits, row by row, whatever neighbours and precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification

from compressor.scorers.attention import Pass, attend_by_length
from compressor.scorers.encoder import Encoder, fits
from compressor.scorers.linear import Int8, Packed, Plain, has_bf16, has_int8, has_onednn
from compressor.scorers.passes import Packed as PackedPasses
from compressor.scorers.passes import Padded, packs
from compressor.types import Ints
from tests.compressor.tiny_models import build

CPU = torch.device("cpu")
LENGTHS = (70, 3, 31, 70, 1, 31, 12)
FAMILIES = ("xlm-roberta", "bert", "roberta")

needs_onednn = pytest.mark.skipif(not has_onednn(), reason="torch without oneDNN")
needs_int8 = pytest.mark.skipif(not has_int8(), reason="a processor without AVX512-VNNI")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = build(request.param, tmp_path_factory.mktemp(request.param))
    return AutoModelForTokenClassification.from_pretrained(folder).eval()


def rows(lengths: Sequence[int] = LENGTHS) -> list[Ints]:
    random = np.random.default_rng(5)
    return [random.integers(5, 100, length).astype(np.int32) for length in lengths]


def first_label(logits: torch.Tensor) -> torch.Tensor:
    return logits[:, 0]


@torch.inference_mode()
def run(encoder: Encoder, given: Sequence[Ints], tokens: int = 100) -> list[np.ndarray]:
    return [one.copy() for one in PackedPasses(encoder, tokens).run(given, first_label)]


def test_fp32_gives_what_transformers_does(model: Any) -> None:
    found = run(Encoder(model, CPU, "fp32"), rows())
    for row, logits in zip(rows(), found, strict=True):
        with torch.inference_mode():
            expected = model(input_ids=torch.from_numpy(row.astype(np.int64))[None]).logits[0, :, 0]
        np.testing.assert_allclose(logits, expected.numpy(), atol=2e-5)


def test_padded_passes_give_what_single_rows_do(model: Any) -> None:
    with torch.inference_mode():
        found = Padded(model, 0).run(rows(), first_label)
        alone = [Padded(model, 0).run([row], first_label)[0] for row in rows()]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize(("precision", "most"), [("bf16", 0.3), pytest.param("int8", 0.3, marks=needs_int8)])
def test_rounded_precisions_stay_near(model: Any, precision: str, most: float) -> None:
    exact, found = (np.concatenate(run(Encoder(model, CPU, name), rows())) for name in ("fp32", precision))
    assert np.abs(exact - found).mean() < 0.1 * exact.std()
    assert np.abs(exact - found).max() < most
    assert not np.array_equal(exact, found)


@pytest.mark.parametrize("precision", ["fp32", "bf16", pytest.param("int8", marks=needs_int8)])
def test_a_row_does_not_depend_on_its_neighbours(model: Any, precision: str) -> None:
    """Law 3: on the grid of scores, 1/4096, nothing moves by more than a step but for bf16's last bit."""
    encoder = Encoder(model, CPU, precision)
    given = rows()
    loud = np.full(64, 7, np.int32)  # a neighbour of one token only
    alone = [run(encoder, [row])[0] for row in given]
    together = run(encoder, [*given, loud], tokens=1000)[:-1]
    shuffled = run(encoder, given[::-1], tokens=50)[::-1]
    for one, *others in zip(alone, together, shuffled, strict=True):
        for other in others:
            np.testing.assert_allclose(other, one, atol=2e-5 if precision == "fp32" else 0.03)


@needs_onednn
@pytest.mark.parametrize("gelu", [False, True])
def test_packed_products_are_torchs(gelu: bool) -> None:
    torch.manual_seed(1)
    x, weight, bias = torch.randn(9, 48), torch.randn(32, 48), torch.randn(32)
    with torch.inference_mode():
        expected = Plain(weight, bias)(x, gelu=gelu)
        np.testing.assert_allclose(Packed(weight, bias)(x, gelu=gelu), expected, atol=1e-4)


@needs_int8
def test_int8_rounds_each_row_by_its_own_scale() -> None:
    """A row a thousand times larger beside it changes no bit: with one scale for all it would drown."""
    torch.manual_seed(1)
    linear = Int8(torch.randn(32, 48), torch.randn(32), torch.float32)
    x = torch.randn(9, 48)
    louder = torch.cat([x, 1000 * torch.randn(1, 48)])
    with torch.inference_mode():
        assert torch.equal(linear(x), linear(louder)[:9])
        exact = Plain(torch.zeros(32, 48), torch.zeros(32))(x)
        assert torch.equal(Int8(torch.zeros(32, 48), torch.zeros(32), torch.float32)(x), exact)


@needs_int8
def test_int8_is_within_its_rounding() -> None:
    torch.manual_seed(1)
    x, weight, bias = torch.randn(64, 256), torch.randn(128, 256), torch.randn(128)
    with torch.inference_mode():
        exact = Plain(weight, bias)(x)
        off = (Int8(weight, bias, torch.float32)(x) - exact).abs()
    assert float(off.mean()) < 0.02 * float(exact.std())


def test_a_row_of_zeros_is_no_division_by_zero() -> None:
    if not has_int8():
        pytest.skip("a processor without AVX512-VNNI")
    with torch.inference_mode():
        y = Int8(torch.randn(4, 8), torch.ones(4), torch.float32)(torch.zeros(2, 8))
    assert y.tolist() == [[1.0] * 4] * 2


def test_attention_is_a_softmax_of_products() -> None:
    torch.manual_seed(1)
    lengths, heads, width = (4, 4, 2), 2, 6
    mixed = torch.randn(sum(lengths), 3 * width)
    rows_of = Pass(torch.empty(0), torch.empty(0), lengths)
    found = attend_by_length(mixed, heads, rows_of)
    start = 0
    for length in lengths:
        queries, keys, values = mixed[start : start + length].view(length, 3, heads, -1).permute(1, 2, 0, 3)
        shares = (queries @ keys.transpose(1, 2)).softmax(-1)
        expected = (shares @ values).transpose(0, 1).reshape(length, width)
        torch.testing.assert_close(found[start : start + length], expected)
        start += length


def test_the_switch_for_products_is_put_back(model: Any) -> None:
    """Fidelity compat multiplies as torch does out of the box."""
    before = torch.get_float32_matmul_precision()
    run(Encoder(model, CPU, "fp32"), rows())
    assert torch.get_float32_matmul_precision() == before == "highest"


def test_packs_are_within_their_size_and_hold_every_row() -> None:
    lengths = [90, 60, 40, 40, 20, 5]
    found = list(packs(lengths, 100))
    assert [at for run in found for at in run] == list(range(6))
    assert [sum(lengths[at] for at in run) for run in found] == [90, 100, 65]
    assert list(packs([], 100)) == []
    assert list(packs([500], 100)) == [range(1)]


def test_other_families_are_left_to_transformers(model: Any) -> None:
    assert fits(model.config)
    for name, value in (("model_type", "modernbert"), ("hidden_act", "relu"), ("is_decoder", True)):
        other = type(model.config).from_dict(model.config.to_dict())
        setattr(other, name, value)
        assert not fits(other)


def test_bf16_is_asked_of_the_processor() -> None:
    assert has_bf16() in (True, False)
    assert not has_int8() or has_onednn()
