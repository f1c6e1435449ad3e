"""Our own endpoints on the main port: /pith/healthz, /pith/readyz, and under /pith/v1/ compress, explain,
feedback and scores."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from compressor import (
    Compressed,
    CompressionParams,
    CompressorError,
    ScoreRequest,
    ScoringError,
    encoding_for,
)
from compressor.analysis import ENGINE_EPOCH
from compressor.explain import Explained, explain
from compressor.flow import advance, whole
from gateway import sidecar
from gateway.client import ClientWatch, read_body
from gateway.downstream.scope import extension_of
from gateway.experiments.feedback import read_feedback
from gateway.incoming import Incoming
from gateway.metrics import FEEDBACK
from gateway.refusal import Refusal
from gateway.remote import frames
from gateway.remote.endpoint import answer as answer_scores
from gateway.request_id import is_issued
from gateway.services import Services
from gateway.sidecar import bad_request, compress_request
from gateway.vocabularies import have_vocabulary
from policies.errors import PolicyError
from policies.params import PolicyParams
from policies.parse import Document
from policies.validate import shown, validate

MAX_TEXTS = 1000
INCOMING = "pith.incoming"
"""Where in the scope the admitted request is; only the two health endpoints are reached without."""


def routes() -> list[Route]:
    """The route table."""
    return [
        Route("/pith/healthz", healthz, methods=["GET"]),
        Route("/pith/readyz", readyz, methods=["GET"]),
        Route("/pith/v1/compress", compress, methods=["POST"]),
        Route("/pith/v1/explain", explain_texts, methods=["POST"]),
        Route("/pith/v1/feedback", give_feedback, methods=["POST"]),
        Route(frames.PATH, scores, methods=["POST"]),
    ]


async def healthz(request: Request) -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 with what is degraded, since requests pass all the same; 503 once the process is about to stop."""
    if extension_of(request.scope).is_draining:
        return JSONResponse({"status": "draining"}, 503)
    return JSONResponse(readiness(_services(request)))


def readiness(services: Services) -> dict[str, object]:
    """What is in force and what is degraded; the admin listener says the same."""
    degraded = services.degraded()
    status = "degraded" if degraded else "ready"
    engine = {"epoch": ENGINE_EPOCH, "fingerprint": services.engine.fingerprint}
    return {"status": status, "mode": services.kill_mode, "degraded": degraded, "engine": engine}


async def compress(request: Request) -> Response:
    """Compress texts, or a whole request body by a policy."""
    services, body, raw = await _read(request)
    async with ClientWatch(request.receive, b""):
        if "request" in body:
            answer = await compress_request(raw, body, _incoming(request).principal, services)
            return Response(await services.offload(len(raw), _spelled, answer), media_type="application/json")
        texts, params = _texts(body)
        await _check_fidelity(services, params)
        await have_vocabulary(params.tokenizer)
        results = await services.compressor.compress(texts, params, tenant=_tenant(request))
        said = {"results": map(described, results), "request": None, "decision": None}
        return await _answer(services, len(raw), said)


async def explain_texts(request: Request) -> Response:
    """As `compress` for texts, with the fate of every word."""
    services, body, raw = await _read(request)
    texts, params = _texts(body)
    if params.fidelity != "native":
        raise bad_request(f"params.fidelity is {params.fidelity!r}, which is not explained: use 'native'")
    await have_vocabulary(params.tokenizer)
    async with ClientWatch(request.receive, b""):
        explained = await asyncio.gather(*(_explain(services, text, params) for text in texts))
        results = (described(item.result) | {"words": _words(item)} for item in explained)
        return await _answer(services, len(raw), {"results": results})


async def give_feedback(request: Request) -> Response:
    """Take what somebody thought of an answer: of the caller's own requests, the first time."""
    services, body, _ = await _read(request)
    keeps_reasons = services.config.feedback_reasons
    given = read_feedback(body, time.time(), keeps_reasons=keeps_reasons)
    if not is_issued(services.secret, _tenant(request), given.id):
        services.metrics.add(FEEDBACK, ("unknown",))
        raise Refusal(
            404,
            code="unknown_request",
            message=f"id is {shown(given.id)}, which is no request of yours: send its x-pith-id",
        )
    services.metrics.add(FEEDBACK, ("taken",))
    services.ledger.note(given)
    return JSONResponse({"id": given.id, "is_taken": True}, 202)


async def scores(request: Request) -> Response:
    """Scores for another instance."""
    services = _services(request)
    raw = await _read_raw(request)
    async with ClientWatch(request.receive, b""):
        try:
            answered = await answer_scores(raw, services.engine, services.offload)
        except ValueError as error:
            raise bad_request(f"body is no message between instances of Pith: {error}") from error
    return Response(answered, media_type=frames.MEDIA_TYPE)


async def _answer(services: Services, size: int, answer: dict[str, Any]) -> Response:
    """As JSON, in ASCII: a request may hold lone surrogates, which have no UTF-8."""
    raw = await services.offload(size, json.dumps, answer, default=list)
    return Response(raw, media_type="application/json")


def _spelled(answer: sidecar.Answer) -> bytes:
    """As JSON, around the request's own bytes."""
    results = json.dumps([described(result) for result in answer.results]).encode()
    decision = answer.decision.model_dump_json(exclude_none=True).encode()
    return b'{"results":%b,"request":%b,"decision":%b}' % (results, answer.request, decision)


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
    step = await services.offload(len(text), advance, steps, None)
    while isinstance(step, ScoreRequest):
        [scores] = await services.engine.score([step])
        if isinstance(scores, ScoringError):
            return Explained(text, await services.offload(len(text), whole, text, params, scores.skip), ())
        step = await services.offload(len(text), advance, steps, scores)
    return step


async def _check_fidelity(services: Services, params: CompressionParams) -> None:
    """Raises Refusal where the scorer cannot do what is asked."""
    if params.fidelity == "compat":
        try:
            await asyncio.to_thread(lambda: services.engine.vocabulary)
        except CompressorError as error:
            raise bad_request(f"params.{error}") from error


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _tenant(request: Request) -> str:
    """Whose recorded scores may be used: the caller's."""
    return _incoming(request).tenant


def _incoming(request: Request) -> Incoming:
    """The request as the gate admitted it."""
    incoming: Incoming = request.scope[INCOMING]
    return incoming


async def _read(request: Request) -> tuple[Services, dict[str, Any], bytes]:
    """The body, read and as it came."""
    services = _services(request)
    raw = await _read_raw(request)
    try:
        body = await services.offload(len(raw), json.loads, raw)
    except (ValueError, RecursionError) as error:
        raise bad_request("body is not JSON: send an object with texts, or request") from error
    if not isinstance(body, dict):
        raise bad_request("body is not an object: send one with texts, or request")
    return services, body, raw


async def _read_raw(request: Request) -> bytes:
    limit = _services(request).config.max_body_bytes
    raw = await read_body(request.receive, limit)
    if not isinstance(raw, bytes):
        raise bad_request(f"body is longer than {limit} bytes: send less at a time")
    return raw


def _texts(body: dict[str, Any]) -> tuple[list[str], CompressionParams]:
    texts = body.get("texts")
    if (
        not isinstance(texts, list)
        or not all(isinstance(text, str) for text in texts)
        or len(texts) > MAX_TEXTS
    ):
        raise bad_request(f"texts must be a list of at most {MAX_TEXTS} strings")
    for index, text in enumerate(texts):
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise bad_request(f"texts.{index} holds half of a surrogate pair: send Unicode text")
    model = body.get("model")
    if not isinstance(model, str | None):
        raise bad_request(f"model is {shown(model)}: send its name, or leave it out")
    tokenizer, _ = encoding_for(model)
    try:
        asked = validate(PolicyParams, Document(body.get("params"), "params", {}))
    except PolicyError as error:
        raise bad_request(str(error)) from error
    return texts, asked.to_compression(tokenizer=tokenizer, role="user")
