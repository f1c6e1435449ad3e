"""A kept request to bytes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kept.record import Kept, pack, unpack
from gateway.texts import Finished


def kept(body: bytes = b'{"model":"m"}', sent: tuple[Finished, ...] | None = None, **more: object) -> Kept:
    fields = {
        "id": "pith-1",
        "at": 1_000.5,
        "path": "/v1/chat/completions",
        "dialect": "chat_completions",
        "upstream": "openai",
        "tenant": "t",
        "key_id": None,
        "team": None,
        "conversation": "c",
        "model": "gpt-4o",
        **more,
    }
    return Kept(**fields, body=body, sent=sent)  # type: ignore[arg-type]  # as tests name them


@given(st.binary())
def test_what_is_packed_is_unpacked(body: bytes) -> None:
    found = unpack(pack(kept(body)))
    assert found is not None
    assert (found.body, found.sent, found.at, found.model) == (body, None, 1_000.5, "gpt-4o")


def test_what_became_of_the_texts_goes_along() -> None:
    cut = Finished(np.array([[1, 4], [7, 9]], np.int32), 9, 5)
    whole = Finished(None, 3, 3, "short")
    rewritten = Finished(None, 8, 4, rewritten=b'"other"')
    found = unpack(pack(kept(sent=(cut, whole, rewritten))))
    assert found is not None
    assert found.sent is not None
    first, second, third = found.sent
    assert first.kept is not None
    assert first.kept.tolist() == [[1, 4], [7, 9]]
    assert (first.origin_tokens, first.sent_tokens) == (9, 5)
    assert (second.kept, second.skip) == (None, "short")
    assert third.rewritten == b'"other"'


@pytest.mark.parametrize("value", [b"", b"\x02x", b"\x01garbage", pack(kept())[:-9], b"\x01"])
def test_what_is_no_record_is_none(value: bytes) -> None:
    assert unpack(value) is None


@given(st.binary(max_size=60))
def test_no_bytes_raise(value: bytes) -> None:
    unpack(b"\x01" + value)
