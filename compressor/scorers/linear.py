"""Products with a layer's weights, each in the fastest exact or rounded form its device has.

Law: a row of the output depends on its row of the input alone, but for the last bit. So activations are
rounded to int8 by a scale of their own a row (token): a scale a tensor, as torch's dynamic quantisation has
it, would make a score depend on the neighbours in its batch, and one large token would blur all others.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch.nn import functional

_TOKENS = 512
"""Weights are laid out for products of about so many rows; others work as well."""
_ZERO = 128
"""oneDNN's fast path takes unsigned activations: signed ones are moved by this."""


class Linear(Protocol):
    """`x @ weight.T + bias`, and through GELU where asked."""

    def __call__(self, x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor: ...


class Plain:
    """As torch does it: for a GPU, and for processors without oneDNN."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
        y = functional.linear(x, self._weight, self._bias)
        return functional.gelu(y) if gelu else y


class Packed:
    """oneDNN with the weights laid out once. On AMD twice as fast as torch's own fp32, whose MKL stops at
    AVX2 there: 241 against 96 GFLOP/s a core; with GELU on the way out."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _TOKENS)
        self._bias = bias

    def __call__(self, x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
        post, how = ("gelu", "none") if gelu else ("none", "")
        y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, post, [], how)
        return y


class Int8:
    """Weights in int8 with a scale an output, activations in int8 with a scale a row; sums are exact."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype) -> None:
        scales = weight.float().abs().amax(1).clamp_min(1e-12) / 127
        rounded = (weight.float() / scales[:, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, [_TOKENS, weight.shape[1]])
        self._scales = scales
        self._zeros = torch.zeros(len(scales), dtype=torch.int32)
        self._bias = bias.to(dtype)
        self._dtype = dtype

    def __call__(self, x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
        scale = x.abs().amax(1, keepdim=True).float().clamp_min_(1e-12).div_(127)
        # half a step is added before the fraction is cut off; products, not quotients: a fifth of the time
        rounded = (x.float() * scale.reciprocal()).add_(_ZERO + 0.5).to(torch.uint8)
        y = torch.addcmul(self._bias, self.products(rounded), scale.to(self._dtype))
        return functional.gelu(y) if gelu else y

    def products(self, rounded: torch.Tensor) -> torch.Tensor:
        """Of activations that are rounded already, but for their scales."""
        form: tuple[object, ...] = (None, 1.0, 0, self._dtype, "none", [], "")
        y: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            rounded, 1.0, _ZERO, self._weight, self._scales, self._zeros, *form
        )
        return y


def has_onednn() -> bool:
    """Whether torch was built with it."""
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call] # torch's


def packs_weights(dtype: torch.dtype) -> bool:
    """Whether oneDNN takes them on this processor."""
    return has_onednn() if dtype == torch.float32 else dtype == torch.bfloat16 and has_bf16()


def has_bf16() -> bool:
    """Whether this processor multiplies bf16 as such."""
    return (
        has_onednn()
        and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        and _has("avx512_bf16", "amx_bf16")
    )


def has_int8() -> bool:
    """Whether this processor adds up products of int8 without saturating in between."""
    return has_onednn() and "onednn" in torch.backends.quantized.supported_engines and _has("avx512_vnni")


def has_amx() -> bool:
    """Whether this processor has tiles, for which oneDNN may round fp32 to bf16 when it is allowed to."""
    return _has("amx_bf16")


def _has(*features: str) -> bool:
    found = torch.cpu.get_capabilities()
    return any(found.get(feature) for feature in features)
