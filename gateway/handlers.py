"""What our own endpoints answer for an error, in OpenAI's shape: the same on both ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import ClientGone
from gateway.passthrough import CLIENT_GONE
from gateway.refusal import Refusal
from policies.validate import shown


def exception_handlers(place: str) -> Mapping[Any, Callable[[Request, Exception], Response]]:
    """For a Starlette application; `place` is what it is called where it has no such path."""
    return {
        ClientGone: lambda request, error: Response(status_code=CLIENT_GONE),
        Refusal: lambda request, error: _refused(error),
        404: lambda request, error: _refused(
            Refusal(404, code="not_found", message=f"{place} has no {shown(request.scope['path'])}")
        ),
        405: lambda request, error: _refused(
            Refusal(405, code="method_not_allowed", message=f"{request.method} is not for this path")
        ),
        500: lambda request, error: _refused(
            Refusal(500, code="internal_error", message="a fault of Pith's; its log has more")
        ),
    }


def _refused(refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    headers = {name.decode(): value.decode() for name, value in refusal.headers()}
    return Response(refusal.body(), refusal.status, headers)
