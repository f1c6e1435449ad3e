"""Our own endpoints on the main port: /pith/healthz, /pith/readyz, /pith/v1/compress, /pith/v1/explain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Mapping
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from compressor import Compressed, CompressionParams, ScoreRequest, ScoringError, encoding_for
from compressor.errors import CompressorError
from compressor.explain import Explained, explain
from compressor.flow import ENGINE_EPOCH, whole
from compressor.types import Scores
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.services import Services
from gateway.splice import Cut, raw_spans, splice
from policies.decide import decide
from policies.match import RequestFacts
from policies.overrides import Overrides
from policies.params import PolicyParams

MAX_TEXTS = 1000
API_TENANT = "pith-api"
"""Scores asked for here are recorded apart from any client's."""


class BadRequest(Exception):
    """What the caller sent is not what this endpoint takes; the message says what is."""


def routes() -> list[Route]:
    """The route table."""
    return [
        Route("/pith/healthz", healthz, methods=["GET"]),
        Route("/pith/readyz", readyz, methods=["GET"]),
        Route("/pith/v1/compress", compress, methods=["POST"]),
        Route("/pith/v1/explain", explain_texts, methods=["POST"]),
    ]


def exception_handlers() -> Mapping[Any, Callable[[Request, Exception], Response]]:
    """Errors in the shape of OpenAI's."""
    return {
        BadRequest: lambda request, error: _error(400, "invalid_request", str(error)),
        404: lambda request, error: _error(404, "not_found", f"Pith has no {request.url.path}"),
        405: lambda request, error: _error(
            405, "method_not_allowed", f"{request.method} is not for this path"
        ),
    }


def _error(status: int, code: str, message: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)


async def healthz(request: Request) -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 with what is degraded, since requests pass all the same."""
    services = _services(request)
    degraded = services.degraded()
    status = "degraded" if degraded else "ready"
    engine = {"epoch": ENGINE_EPOCH, "fingerprint": services.engine.fingerprint}
    return JSONResponse(
        {"status": status, "mode": services.kill_mode, "degraded": degraded, "engine": engine}
    )


async def compress(request: Request) -> Response:
    """Compress texts, or a whole request body by a policy."""
    services, body = _services(request), await _json(request)
    if "request" in body:
        return JSONResponse(await _compress_request(services, body))
    texts, params = _texts(body)
    results = await services.compressor.compress(texts, params, tenant=API_TENANT)
    return JSONResponse(
        {"results": [described(result) for result in results], "request": None, "decision": None}
    )


async def explain_texts(request: Request) -> Response:
    """As `compress` for texts, with the fate of every word."""
    services = _services(request)
    texts, params = _texts(await _json(request))
    explained = await asyncio.gather(*(_explain(services, text, params) for text in texts))
    return JSONResponse({"results": [described(item.result) | {"words": _words(item)} for item in explained]})


def described(result: Compressed) -> dict[str, Any]:
    """One result as JSON; spans in characters of the original."""
    return {
        "text": result.text,
        "origin_tokens": result.origin_tokens,
        "compressed_tokens": result.compressed_tokens,
        "kept": result.kept.tolist(),
        "skip": result.skip,
    }


def _words(explained: Explained) -> list[list[int | float | str]]:
    return [[word.start, word.end, word.score, word.fate] for word in explained.words]


async def _explain(services: Services, text: str, params: CompressionParams) -> Explained:
    steps = explain(text, params)
    step = await asyncio.to_thread(_advance, steps, None)
    while isinstance(step, ScoreRequest):
        [scores] = await services.engine.score([step])
        if isinstance(scores, ScoringError):
            return Explained(text, whole(text, params, scores.skip), ())
        step = await asyncio.to_thread(_advance, steps, scores)
    return step


def _advance(
    steps: Generator[ScoreRequest, Scores, Explained], scores: Scores | None
) -> ScoreRequest | Explained:
    try:
        return next(steps) if scores is None else steps.send(scores)
    except StopIteration as stop:  # must not cross a thread: a future cannot carry it
        explained: Explained = stop.value
        return explained


async def _compress_request(services: Services, body: dict[str, Any]) -> dict[str, Any]:
    """What Pith would forward for a request body, without a conversation and its pins."""
    dialect = {item.name: item for item in (CHAT_COMPLETIONS,)}.get(
        body.get("dialect", CHAT_COMPLETIONS.name)
    )
    if dialect is None:
        raise BadRequest(f"dialect is {body['dialect']!r}: use {CHAT_COMPLETIONS.name!r}")
    raw = json.dumps(body["request"]).encode()
    chat = dialect.parse(raw)
    if isinstance(chat, str):
        raise BadRequest(f"request is not a {dialect.name} request body ({chat})")
    facts = RequestFacts("/v1/chat/completions", chat.model)
    overrides = Overrides(policy=body.get("policy"))
    decision = decide(services.policies.current, facts, overrides, None, services.kill_mode)
    tokenizer, _ = encoding_for(chat.model)
    sites = [site for site in chat.texts if decision.mode != "off" and decision.params.covers(site.role)]
    edits, results = [], []
    for site in sites:
        literal = raw[site.start : site.end]
        params = decision.params.to_compression(tokenizer=tokenizer, role=site.role)
        [result] = await services.compressor.compress([json.loads(literal)], params, tenant=API_TENANT)
        results.append(described(result))
        edits.append(Cut(site.start, site.end, raw_spans(literal, result.kept)))
    return {
        "results": results,
        "request": json.loads(splice(raw, edits)),
        "decision": json.loads(decision.model_dump_json(exclude_none=True)),
    }


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _json(request: Request) -> dict[str, Any]:
    services = _services(request)
    size = int(request.headers.get("content-length", 0))
    if size > services.config.max_body_bytes:
        raise BadRequest(f"body is {size} bytes: send at most {services.config.max_body_bytes}")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise BadRequest("body is not JSON: send an object with texts, or request") from error
    if not isinstance(body, dict):
        raise BadRequest("body is not an object: send one with texts, or request")
    return body


def _texts(body: dict[str, Any]) -> tuple[list[str], CompressionParams]:
    texts = body.get("texts")
    if (
        not isinstance(texts, list)
        or not all(isinstance(text, str) for text in texts)
        or len(texts) > MAX_TEXTS
    ):
        raise BadRequest(f"texts must be a list of at most {MAX_TEXTS} strings")
    tokenizer, _ = encoding_for(body.get("model"))
    try:
        asked = PolicyParams.model_validate(body.get("params") or {})
        return texts, asked.to_compression(tokenizer=tokenizer, role="user")
    except (ValidationError, CompressorError) as error:
        raise BadRequest(f"params: {error}") from error
