"""One conversation, one arm: at every replica, after restarts, and when the weights change meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.whole_gateway import LONG, PARAMS, gateway, rows
from tests.fakes import LengthScorer
from tests.redis_server import RedisServer, redis_server

Json = dict[str, Any]
Open = Callable[..., AbstractContextManager[httpx.Client]]

N = 4


def policies(control: int = 1, half: int = 1, **more: Any) -> list[Json]:
    variants = [
        {"name": "control", "weight": control, "mode": "off"},
        {"name": "half", "weight": half},
    ]
    return [{"name": "rag", "params": PARAMS, "experiment": {"salt": "s", "variants": variants, **more}}]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def replica(tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens a gateway of a name; each name has its own folder and ledger, all have the Redis."""
    monkeypatch.setenv("PITH_SECRET", "the same on all replicas")
    with serving(OpenAIUpstream().app()) as behind:

        @contextmanager
        def opened(name: str, **settings: Any) -> Iterator[httpx.Client]:
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            said = {"policies": policies(), "cache": redis.url, "cache_timeout_ms": 5_000, **settings}
            with (
                gateway(folder, f"http://127.0.0.1:{behind}", LengthScorer(), **said) as port,
                httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
            ):
                yield client

        yield opened


class Talk:
    """A conversation that may go on anywhere."""

    def __init__(self, n: int, **named: str) -> None:
        self.messages: list[Json] = [{"role": "user", "content": f"{LONG} This is number {n}."}]
        self.named = named

    def say(self, client: httpx.Client) -> str:
        """The arm that it is in."""
        body = {"model": "gpt-4o-mini", "messages": self.messages}
        headers = {}
        if "unit" in self.named:
            headers["x-pith-unit"] = self.named["unit"]
        if "key" in self.named:
            body["prompt_cache_key"] = self.named["key"]
        response = client.post("/v1/chat/completions", json=body, headers=headers)
        assert response.status_code == 200
        self.messages += [
            {"role": "assistant", "content": "Well."},
            {"role": "user", "content": f"{LONG} And {len(self.messages)}?"},
        ]
        return str(response.headers["x-pith-variant"])


def talks() -> list[Talk]:
    return [
        *(Talk(n) for n in range(N)),
        *(Talk(n, key="application") for n in range(N, 2 * N)),
        *(Talk(n, unit=f"user {n}") for n in range(2 * N, 3 * N)),
    ]


def test_a_conversation_keeps_its_arm_across_replicas_and_restarts(replica: Open, tmp_path: Path) -> None:
    everybody = talks()
    with replica("a") as a, replica("b") as b:
        began = [talk.say(a) for talk in everybody]
        assert [talk.say(b) for talk in everybody] == began
    with replica("a", policies=policies(1, 9)) as a, replica("c") as c:
        assert [talk.say(a) for talk in everybody] == began, "those who run keep what they began with"
        assert [talk.say(c) for talk in everybody] == began
    assert set(began) == {"control", "half"}
    found: dict[str, set[tuple[str, str]]] = {}
    for name in ("a", "b", "c"):
        for row in rows(tmp_path / name):
            found.setdefault(row["unit"], set()).add((row["variant"], row["policy_version"]))
    assert len(found) == 3 * N
    assert {len(dealt) for dealt in found.values()} == {1}


def test_without_the_record_the_hash_deals_the_same(replica: Open, redis: RedisServer) -> None:
    everybody = talks()[N:]  # those who are named are known without a record
    with replica("a") as a:
        began = [talk.say(a) for talk in everybody]
    with replica("b", cache="memory://") as b:
        assert [talk.say(b) for talk in everybody] == began


def test_ramping_changes_nobodys_arm_and_goes_on_with_the_version(replica: Open, tmp_path: Path) -> None:
    with replica("a", policies=policies(share=0.4)) as a:
        first = {talk.named["unit"]: arm_of(talk, a) for talk in talks()[2 * N :]}
    with replica("b", policies=policies(share=1.0), cache="memory://") as b:
        later = {talk.named["unit"]: arm_of(talk, b) for talk in talks()[2 * N :]}
    assert None in first.values()
    assert None not in later.values()
    assert {unit: arm for unit, arm in first.items() if arm} == {
        unit: later[unit] for unit, arm in first.items() if arm
    }
    versions = {row["policy_version"] for name in ("a", "b") for row in rows(tmp_path / name)}
    assert len(versions) == 1


def arm_of(talk: Talk, client: httpx.Client) -> str | None:
    response = client.post(
        "/v1/chat/completions",
        json={"model": "gpt-4o-mini", "messages": talk.messages},
        headers={"x-pith-unit": talk.named["unit"]},
    )
    arm: str | None = response.headers.get("x-pith-variant")
    return arm
