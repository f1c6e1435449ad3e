"""The ASGI application: `/pith/*` is ours, everything else is the upstream's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from compressor import Scorer
from gateway import api, chat, fetching
from gateway.access.binding import bind_to_models
from gateway.accounts import Account
from gateway.client import request_body
from gateway.dialects.paths import dialect_of
from gateway.errors import ClientGone
from gateway.handlers import exception_handlers
from gateway.incoming import Incoming
from gateway.refusal import Refusal, refuse
from gateway.services import POLL_S, Services, open_services
from gateway.settings import Config
from gateway.types import Cache
from policies.schema import Mode

Beside: TypeAlias = Callable[[Services], AbstractAsyncContextManager[object]]

OWN_PREFIX = "/pith/"
OPEN_PATHS = frozenset({"/pith/healthz", "/pith/readyz"})
"""What is answered to anybody. Every other path, ours or the upstream's, passes the gate first."""


def create_app(
    config: Config,
    scorer: Scorer | None,
    read_mode: Callable[[], Mode] | None = None,
    *,
    poll_s: float = POLL_S,
    cache: Cache | None = None,
    beside: Beside = nullcontext,
) -> ASGIApp:
    """The gateway. Its lifespan opens and closes everything. `scorer`: None where a remote one is configured.

    `read_mode` reads the kill switch anew, every `poll_s` seconds, as the policy file is. `cache` takes the
    place of the configured one. `beside` runs for as long as the services are open.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        modes = read_mode or (lambda: config.mode)
        async with open_services(config, scorer, modes, poll_s=poll_s, cache=cache) as services:
            app.state.services = services
            async with beside(services):
                yield

    own = Starlette(routes=api.routes(), exception_handlers=exception_handlers("Pith"), lifespan=lifespan)

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await own(scope, receive, send)
            return
        services: Services = own.state.services
        try:
            incoming = services.access.identify(Incoming.of(scope, services.secret))
            await admit(incoming, services)
            with services.admission.serve():
                if incoming.path.startswith(OWN_PREFIX):
                    await own({**scope, api.INCOMING: incoming}, receive, send)
                else:
                    await forward(incoming, scope, receive, send, services)
        except Refusal as refusal:
            await refuse(send, refusal)

    return gateway


async def admit(incoming: Incoming, services: Services) -> None:
    """Let in a caller that is known. Raises Refusal, which is on record then, unlike that of one unknown."""
    try:
        await services.access.admit(incoming)
    except Refusal as refusal:
        Account.open(incoming, services).close_refused(refusal)
        raise


async def forward(incoming: Incoming, scope: Scope, receive: Receive, send: Send, services: Services) -> None:
    """One request to the upstream and back. Raises Refusal, before a byte is sent, where it ends here."""
    try:
        receive = await bind_to_models(incoming, receive, services.config.max_body_bytes, services.offload)
    except ClientGone:
        Account.open(incoming, services).close_unanswered()
        return
    except Refusal as refusal:
        Account.open(incoming, services).close_refused(refusal)
        raise
    dialect = dialect_of(incoming.method, incoming.path)
    if dialect is not None:
        await chat.handle(incoming, receive, send, services, dialect)
    else:
        plan = await fetching.plan_of(incoming, request_body(scope, receive), services)
        await Account.open(incoming, services).answer(plan, receive, send)
