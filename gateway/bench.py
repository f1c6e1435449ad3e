"""What Pith adds to a request, measured by a client over loopback, and how long its event loop stands still.

The upstream has a process of its own; two Piths run in this one, on a thread each, over one cache. Each
conversation is sent straight to the upstream and then through Pith once a scenario:

    new         nothing is known of it
    model       for another model: other tokens, so nothing is known but scores and findings
    rate        at another rate: what words weigh and the counts of messages nobody compresses are known too
    seen        as it was
    protection  by a policy that protects other things: scores are recorded, the rest is found anew
    restart     as it was, by the other Pith, which has seen nothing and shares the cache

What a scenario adds is its time less that of the direct request.
"""

from __future__ import annotations

import gc
import http.client
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from compressor import CompressionParams, Scorer
from compressor.bench import MODEL, RECIPE, Laps
from compressor.bench import compress as staged
from gateway.app import create_app
from gateway.cache.memory import MemoryCache
from gateway.config import load as load_config
from gateway.demo.corpus import PROSE, conversation, prose
from gateway.demo.instant import instant_upstream
from gateway.demo.running import running
from gateway.hashing import VARIABLE as SECRET_VARIABLE
from gateway.hashing import Secret
from gateway.interpreter import settle
from gateway.splice import decode, raw_spans
from gateway.standstill import Probe, Standstill
from policies.load import default_policies
from policies.params import ProtectParams
from policies.schema import Match, Policy

PATH = "/v1/chat/completions"
SMALL_PATH = "/v1/embeddings"
PARAMS = CompressionParams(rate=0.5, force_tokens=("\n", "?"))
CACHE_BYTES = 128 << 20
OTHER_POLICY = "without-tags"
IDLE_S = 0.05
"""For so long nothing is to be done, which a loop's probe then says."""

Headers = Mapping[str, str]
Seconds = list[float]


def text_stages(
    scorer: Scorer, tokens: int, text_tokens: int, repeats: int
) -> tuple[int, dict[str, Seconds]]:
    """Tokens worked on in a run, and the CPU seconds of each run by stage."""
    runs: dict[str, Seconds] = {}
    total = 0
    for repeat in range(-1, repeats):
        random = Random(f"texts {repeat}")  # noqa: S311  # the same texts on every machine, not secrets
        texts = [
            prose(PROSE[i % len(PROSE)], text_tokens, random) for i in range(max(1, tokens // text_tokens))
        ]
        laps = Laps()
        total = sum(_one_text(text, scorer, laps) for text in texts)
        if repeat >= 0:  # the run before warmed caches and tables up
            for stage, seconds in laps.seconds.items():
                runs.setdefault(stage, []).append(seconds / total)
    return total, runs


def _one_text(text: str, scorer: Scorer, laps: Laps) -> int:
    literal = json.dumps(text, ensure_ascii=False).encode()
    laps.time("hash", Secret(b"of the benchmark").keyed, b"text", literal)
    laps.time("decode", decode, literal)
    result = staged(text, PARAMS, scorer, laps)
    laps.time("map", raw_spans, literal, result.kept)
    return result.origin_tokens


def besides_model(stages: Mapping[str, float]) -> float:
    """Python and tokenizer work. The recipe is the other stages over again."""
    return sum(value for stage, value in stages.items() if stage not in (RECIPE, MODEL))


class Client:
    """One kept-alive connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def post(self, path: str, body: bytes, headers: Headers) -> tuple[float, http.client.HTTPMessage]:
        """Seconds from the first byte sent to the last one received, and the answer's header fields."""
        began = time.perf_counter()
        self._connection.request("POST", path, body, {"content-type": "application/json", **headers})
        response = self._connection.getresponse()
        response.read()
        took = time.perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"{path} was answered {response.status}: see the log above")
        return took, response.headers

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass(slots=True)
class Samples:
    """Seconds of a scenario, one a conversation."""

    added: Seconds = field(default_factory=list)
    late: Seconds = field(default_factory=list)
    """The longest stand-still of the loop, whoever's doing."""
    blocked: Seconds = field(default_factory=list)
    """The longest that this process held it."""
    cpu: Seconds = field(default_factory=list)
    """What this process computed, the client included: on a busy machine it tells more than a clock."""

    def note(self, added: float, stood_still: Standstill, cpu: float) -> None:
        """One conversation."""
        self.added.append(added)
        self.late.append(stood_still.wall_s)
        self.blocked.append(stood_still.held_s)
        self.cpu.append(cpu)


@dataclass(slots=True, frozen=True)
class GatewayBench:
    """Clients of two Piths and of the upstream, and what is known of the Piths' loops."""

    pith: Client
    other_pith: Client
    upstream: Client
    probes: Sequence[Probe]

    def _stood_still(self) -> Standstill:
        """The longest stand-still of a loop since the last time."""
        return reduce(Standstill.worst, [probe.take() for probe in self.probes])

    def _tidy(self) -> None:
        """As a Pith alone in its process does between two requests; of two, one would amid the other's.

        What the loops then say they stood still for it is heard and forgotten, before anything is sent.
        """
        gc.collect()
        time.sleep(IDLE_S)
        self._stood_still()

    def conversations(self, tokens: int, n_messages: int, repeats: int) -> tuple[int, dict[str, Samples]]:
        """Bytes of the last conversation, and the samples of each scenario."""
        found: dict[str, Samples] = {}
        body = b""
        for repeat in range(-1, repeats):
            messages = conversation(tokens, n_messages, repeat)
            scenarios = _scenarios(messages)
            body = scenarios["seen"][0]
            computed = time.process_time()
            direct, _ = self.upstream.post(PATH, body, {})
            computed = time.process_time() - computed
            self._tidy()
            time.sleep(IDLE_S)
            samples = {"direct": (direct, self._stood_still(), computed)}
            for name, (sent, headers) in scenarios.items():
                pith = self.other_pith if name == "restart" else self.pith
                self._tidy()
                computed = time.process_time()
                took, said = pith.post(PATH, sent, headers)
                samples[name] = (took - direct, self._stood_still(), time.process_time() - computed)
                _check(name, said)
            if repeat >= 0:
                for name, sample in samples.items():
                    found.setdefault(name, Samples()).note(*sample)
        return len(body), found

    def small(self, n_bytes: int, repeats: int) -> Samples:
        """A body that is passed on unread."""
        body = json.dumps({"input": "x" * n_bytes}).encode()[:n_bytes]
        samples = Samples()
        for repeat in range(-20, repeats):
            direct, _ = self.upstream.post(SMALL_PATH, body, {})
            took, _ = self.pith.post(SMALL_PATH, body, {})
            if repeat >= 0:
                samples.added.append(took - direct)
        return samples


def _scenarios(messages: Sequence[Mapping[str, Any]]) -> dict[str, tuple[bytes, Headers]]:
    """Body and header fields of each request through Pith, in order."""

    def body(model: str) -> bytes:
        return json.dumps({"model": model, "messages": messages}, ensure_ascii=False).encode()

    ours = body("gpt-4o")
    return {
        "new": (ours, {}),
        "model": (body("gpt-4"), {}),
        "rate": (ours, {"x-pith-rate": "0.55"}),
        "seen": (ours, {}),
        "protection": (ours, {"x-pith-policy": OTHER_POLICY}),
        "restart": (ours, {}),
    }


def _check(scenario: str, headers: http.client.HTTPMessage) -> None:
    """That Pith did what the scenario says."""
    state, skip = headers["x-pith-cache"], headers["x-pith-skip"]
    if skip is not None or (state == "hit") == (scenario == "new"):
        raise RuntimeError(
            f"scenario {scenario}: the cache gave {state}, and skip is {skip}: nothing to measure"
        )


@contextmanager
def gateway_bench(scorer: Scorer, cache_url: str | None = None) -> Iterator[GatewayBench]:
    """Two Piths over one cache and an upstream, on loopback.

    The cache is in this process, or the one the URL names, under a secret of this run: nothing is on record.
    """
    if cache_url is not None:
        os.environ[SECRET_VARIABLE] = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="pith-bench-") as folder, instant_upstream() as target:
        flags = {
            "upstreams.openai.url": target,
            "ledger": f"sqlite:///{Path(folder) / 'pith.db'}",
            "compressor.deadline_ms": 60_000,
            "cache": cache_url,
        }
        config = load_config(None, {}, flags).model_copy(update={"policies": _policies()})
        # Made for one loop; here one at a time has work.
        cache = MemoryCache(CACHE_BYTES, time.monotonic) if config.cache is None else None
        probes = [Probe(create_app(config, scorer, cache=cache)) for _ in range(2)]
        settle()  # as `pith serve` does
        with (
            running(probes[0]) as url,
            running(probes[1]) as other,
            closing(Client(url)) as pith,
            closing(Client(other)) as other_pith,
            closing(Client(target)) as upstream,
        ):
            yield GatewayBench(pith, other_pith, upstream, probes)


def _policies() -> tuple[Policy, ...]:
    """The default one, and another for requests that name it. They compress, whether or not it pays."""
    [default] = (policy.model_copy(update={"benefit": "off"}) for policy in default_policies().policies)
    protect = (default.params.protect or ProtectParams()).model_copy(update={"tags": False})
    params = default.params.model_copy(update={"protect": protect})
    named = {"name": OTHER_POLICY, "match": Match(model="no model"), "params": params}
    return default.model_copy(update=named), default
