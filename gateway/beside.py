"""A request's answer, and what is done with the request beside that: it is mirrored, it is kept.

Both are decided before the answer and begin when it has ended. Whatever fails here, the answer goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.types import Receive, Send

from gateway.accounts import Account
from gateway.dialects import Dialect
from gateway.experiments.mirror import begin
from gateway.experiments.sample import sampled
from gateway.kept.keeping import keep
from gateway.plan import Plan

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


async def answered(account: Account, plan: Plan, dialect: Dialect, receive: Receive, send: Send) -> None:
    """Answer the client, and do the rest behind its back."""
    sample = _tried(sampled, account, plan, dialect, send)
    await account.answer(plan, receive, send if sample is None else sample.copy)
    _tried(keep, account, plan, dialect)
    if sample is not None:
        _tried(begin, sample, account.services)


def _tried(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    try:
        return work(*args, **kwargs)
    except Exception:  # the fail-open line of what no answer depends on
        logger.exception("what is done beside a request failed")
        return None
