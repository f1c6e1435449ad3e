"""What the benchmark sends."""

from __future__ import annotations

import json

import pytest

from gateway.demo.instant_answers import ANSWERS, EVENTS
from gateway.demo.instant_answers import CHAT as INSTANT_CHAT
from gateway.dialects import ChatRequest
from gateway.dialects.paths import dialect_of
from gateway.load.cases import CHAT, DIALECTS, N_BODIES, SETTINGS, Case, cases, settings_with
from gateway.tap import UsageTap


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


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_is_asked_where_it_is_and_reads_one_text(dialect: str) -> None:
    [plain, _, _, _] = cases([1024], [dialect])
    head, _, body = plain.requests()[0].partition(b"\r\n\r\n")
    path = head.split(b" ")[1].decode()
    asked = dialect_of("POST", path)

    assert asked is not None
    assert asked.name == dialect
    read = asked.parse(body)
    assert isinstance(read, ChatRequest)
    assert len(read.texts) == 1
    assert plain.name.startswith(dialect) == (dialect != CHAT)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_upstream_answers_each_dialect_as_it_is_read(dialect: str, is_streamed: bool) -> None:
    path, _ = DIALECTS[dialect]
    said = ANSWERS.get(path.rpartition("/")[2].encode(), INSTANT_CHAT)
    head, _, body = (said.streamed if is_streamed else said.plain).partition(b"\r\n\r\n")
    kind = head.partition(b"content-type: ")[2].partition(b"\r\n")[0]
    asked = dialect_of("POST", path)

    assert asked is not None
    tap = UsageTap(asked.answers)
    tap.head(200, [(b"content-type", kind)])
    # Of a stream, the events without the sizes of their chunks, which have no line feed twice.
    parts = [part for part in body.split(b"\r\n") if part.endswith(b"\n\n")] if is_streamed else [body]
    for part in parts:
        tap.feed(part)
    tap.end()
    assert len(parts) > EVENTS or not is_streamed
    assert tap.is_done is is_streamed
    assert tap.usage is not None or (dialect == CHAT and is_streamed), "a chat's stream was not asked for it"


def test_streams_may_come_event_by_event() -> None:
    found = cases([1024], is_paced=True)

    assert [case.is_paced for case in found] == [False, False, True, True]
    assert b"/v1/chat/completions?paced " in found[-1].requests()[0]
    assert found[-1].name == "1 KB, event by event, compression on"


def test_another_gateway_may_want_another_model() -> None:
    assert (
        json.loads(Case(1024, False, False).requests(model="m")[0].partition(b"\r\n\r\n")[2])["model"] == "m"
    )


def test_pith_is_given_what_is_asked_for_besides() -> None:
    assert settings_with(None, None) == SETTINGS
    asked = settings_with("frequency", "redis://127.0.0.1")
    assert asked["cache"] == "redis://127.0.0.1"
    assert asked["compressor"] == {**SETTINGS["compressor"], "scorer": "frequency"}
    assert {**asked, "compressor": SETTINGS["compressor"]} == {**SETTINGS, "cache": "redis://127.0.0.1"}
