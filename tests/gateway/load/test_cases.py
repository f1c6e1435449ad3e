"""What the benchmark sends."""

from __future__ import annotations

import json

import pytest

from gateway.load.cases import N_BODIES, Case, cases


def bodies(case: Case) -> list[bytes]:
    return [raw.partition(b"\r\n\r\n")[2] for raw in case.requests()]


def test_all_combinations_are_there_once() -> None:
    found = cases([1024, 32768])

    assert len(found) == len(set(found)) == 8
    assert {case.body_bytes for case in found} == {1024, 32768}
    assert [case.is_streamed for case in found] == [False] * 4 + [True] * 4


@pytest.mark.parametrize("case", cases([1024, 32768]), ids=lambda case: case.name)
def test_bodies_are_different_json_of_the_size_named(case: Case) -> None:
    found = bodies(case)

    assert len(set(found)) == N_BODIES
    for body in found:
        assert len(body) == pytest.approx(case.body_bytes, rel=0.02)
        assert json.loads(body)["stream"] is case.is_streamed


@pytest.mark.parametrize("is_compressed", [True, False])
def test_the_policy_is_chosen_by_a_header(is_compressed: bool) -> None:
    head = Case(1024, False, is_compressed).requests([("x-key", "k")], "gpt-x")[0].partition(b"\r\n\r\n")[0]

    assert (b"x-bench: on" if is_compressed else b"x-bench: off") in head.splitlines()
    assert b"x-key: k" in head.splitlines()


def test_another_gateway_may_want_another_model() -> None:
    assert (
        json.loads(Case(1024, False, False).requests(model="m")[0].partition(b"\r\n\r\n")[2])["model"] == "m"
    )
