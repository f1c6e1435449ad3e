"""`pith replay` over requests that a real gateway kept: what it says is what the gateway would have done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from compressor.placement import place
from gateway.cli.replay import replay
from gateway.config import load as load_config
from tests.e2e.conftest import serving
from tests.e2e.test_money import Telling
from tests.e2e.whole_gateway import LONG, PARAMS, chat, gateway, rows

KEPT = {"name": "kept", "benefit": "off", "params": PARAMS, "keep_texts": True}
HALF = {"name": "half", "benefit": "off", "params": PARAMS}
COMPRESSOR = {"scorer": "frequency", "deadline_ms": 60_000, "queue_ms": 60_000}
SCORER = place(load_config(None, {}, {"compressor.scorer": "frequency"}).compressor.placement)
CANARY = "CANARY7 "


@contextmanager
def kept(
    folder: Path, upstream: Telling, *policies: dict[str, Any], **settings: Any
) -> Iterator[httpx.Client]:
    """A gateway that keeps what it is asked; what it kept is on disk when it has stopped."""
    given = {"policies": list(policies), "compressor": COMPRESSOR, **settings}
    with (
        serving(upstream.app()) as target,
        gateway(folder, f"http://127.0.0.1:{target}", SCORER, **given) as port,  # type: ignore[arg-type]  # any scorer
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client,
    ):
        yield client


def ask(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/v1/chat/completions", json=body).status_code == 200


def conversation(n_turns: int) -> Iterator[dict[str, Any]]:
    messages: list[dict[str, str]] = []
    for turn in range(n_turns):
        messages += [{"role": "user", "content": f"Turn {turn}. {CANARY}" + LONG * 3}]
        yield {"model": "gpt-4o-mini", "messages": list(messages)}
        messages += [{"role": "assistant", "content": "Yes."}]


def replayed(folder: Path, *policies: dict[str, Any], arguments: tuple[str, ...] = ("--json",)) -> Result:
    file = folder / "other.yaml"
    file.write_text(json.dumps({"policies": list(policies)}))
    given = ["--policy", str(file), "--config", str(folder / "pith.yaml"), *arguments]
    return CliRunner().invoke(replay, given)


def said(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_policy_that_was_in_force_would_have_saved_what_it_saved(tmp_path: Path) -> None:
    upstream = Telling(counts=True)
    with kept(tmp_path, upstream, KEPT) as client:
        for body in conversation(4):
            ask(client, body)
    recorded = rows(tmp_path)
    [row] = said(replayed(tmp_path, KEPT))["rows"]
    assert (row["policy"], row["model"], row["requests"]) == ("kept", "gpt-4o-mini", 4)
    assert row["origin_tokens"] == sum(one["origin_tokens"] for one in recorded)
    assert row["sent_tokens"] == row["would_send_tokens"] == sum(one["compressed_tokens"] for one in recorded)
    assert row["cost_usd"] == pytest.approx(sum(one["cost_usd"] for one in recorded))
    assert row["would_cost_usd"] == pytest.approx(row["cost_usd"])
    assert row["saved_usd"] == pytest.approx(sum(one["saved_usd"] for one in recorded))
    assert row["would_save_usd"] == pytest.approx(row["saved_usd"])
    assert len(upstream.bodies) == 4, "a replay asks nobody"


def test_another_policy_would_have_sent_what_a_gateway_with_it_sends(tmp_path: Path) -> None:
    """Kept while nothing was compressed; compared with a gateway that compresses."""
    bodies = list(conversation(3))
    for name, policy in (("before", {**KEPT, "mode": "off"}), ("after", HALF)):
        folder = tmp_path / name
        folder.mkdir()
        with kept(folder, Telling(counts=True), policy) as client:
            for body in bodies:
                ask(client, body)
    compressing = rows(tmp_path / "after")
    [row] = said(replayed(tmp_path / "before", HALF))["rows"]
    assert row["policy"] == "half"
    assert row["sent_tokens"] == row["origin_tokens"] == sum(one["origin_tokens"] for one in compressing)
    assert row["would_send_tokens"] == sum(one["compressed_tokens"] for one in compressing)
    assert row["saved_usd"] == pytest.approx(0.0)
    assert row["would_cost_usd"] == pytest.approx(sum(one["cost_usd"] for one in compressing), rel=0.02)
    assert row["would_save_usd"] == pytest.approx(row["uncompressed_usd"] - row["would_cost_usd"])
    assert row["would_save_usd"] > 0


def test_nothing_that_was_kept_is_readable_at_rest(tmp_path: Path) -> None:
    with kept(tmp_path, Telling(counts=True), KEPT) as client:
        for body in conversation(2):
            ask(client, body)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.suffix == ".kept" for file in files)
    for file in files:
        written = file.read_bytes()
        assert CANARY.strip().encode() not in written, file.name
        assert LONG.encode()[:30] not in written, file.name
    assert said(replayed(tmp_path, KEPT))["total"]["requests"] == 2


def test_nothing_is_kept_by_default(tmp_path: Path) -> None:
    with kept(tmp_path, Telling(counts=True), HALF) as client:
        ask(client, chat())
    assert not (tmp_path / "ledger.db.texts").exists()
    result = replayed(tmp_path, HALF)
    assert result.exit_code == 1
    assert "no requests are kept; say keep_texts: true in a policy" in result.output


def test_the_table_and_its_words(tmp_path: Path) -> None:
    with kept(tmp_path, Telling(), KEPT) as client:  # tells no usage
        ask(client, chat("Hi."))
        ask(client, chat())
    result = replayed(tmp_path, HALF, arguments=())
    assert result.exit_code == 0
    for words in (
        "would send",
        "would save $",
        "Left as they came by these policies: short 1",
        "2 not in the money",
    ):
        assert words in result.output


def test_what_another_secret_kept_is_said_and_left_out(tmp_path: Path) -> None:
    with kept(tmp_path, Telling(counts=True), KEPT) as client:
        ask(client, chat())
    secret = tmp_path / "ledger.db.secret"
    secret.chmod(0o600)
    secret.write_text("ab" * 32)
    result = replayed(tmp_path, KEPT)
    assert said(result)["left_out"]["unread"] == 1
    assert said(result)["rows"] == []


def test_only_what_is_young_enough(tmp_path: Path) -> None:
    with kept(tmp_path, Telling(counts=True), KEPT) as client:
        ask(client, chat())
    later = said(replayed(tmp_path, KEPT, arguments=("--json", "--since", "2999-01-01")))
    assert later["rows"] == []
    assert said(replayed(tmp_path, KEPT, arguments=("--json", "--since", "1d")))["total"]["requests"] == 1


def test_a_policy_file_that_is_wrong_says_where(tmp_path: Path) -> None:
    with kept(tmp_path, Telling(counts=True), KEPT) as client:
        ask(client, chat())
    result = replayed(tmp_path, {"name": "a", "modus": "on"})
    assert result.exit_code != 0
    assert "modus" in str(result.exception) + result.output


def test_a_provider_whose_cache_nobody_knows_is_told_in_the_mix(tmp_path: Path) -> None:
    upstream = Telling({"prompt_tokens": 1000, "completion_tokens": 5})
    price = {"model": "own-model", "input": 1.0, "output": 2.0}
    with kept(tmp_path, upstream, KEPT, prices=[price]) as client:
        ask(client, {**chat(), "model": "own-model"})
    [row] = said(replayed(tmp_path, {**HALF, "params": {**PARAMS, "rate": 0.3}}))["rows"]
    assert row["would_send_tokens"] < row["sent_tokens"] < row["origin_tokens"]
    assert row["would_cost_usd"] < row["cost_usd"] < row["uncompressed_usd"]
