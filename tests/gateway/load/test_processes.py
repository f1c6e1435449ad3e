"""The gateway that is measured, and what it takes."""

from __future__ import annotations

import os

import pytest

from gateway.load.processes import Gateway, pith


def test_what_a_process_takes_is_read() -> None:
    own = Gateway("own", "http://127.0.0.1:1", os.getpid())
    cpu_s, resident = own.cpu_s(), own.resident_mib()

    assert cpu_s is not None
    assert cpu_s > 0
    assert resident is not None
    assert 10 < resident < 100_000


def test_a_gateway_elsewhere_is_not_looked_at() -> None:
    elsewhere = Gateway("other", "http://127.0.0.1:1")
    assert elsewhere.cpu_s() is None
    assert elsewhere.resident_mib() is None


def test_a_process_that_has_ended_takes_nothing() -> None:
    ended = Gateway("ended", "http://127.0.0.1:1", 2**22 + 1)
    assert ended.cpu_s() is None
    assert ended.resident_mib() is None


def test_a_gateway_that_does_not_start_says_why() -> None:
    wrong = {"compressor": {"deadline_ms": "soon"}}
    with pytest.raises(RuntimeError, match="deadline_ms"), pith("http://127.0.0.1:1", wrong, None):
        pass
