"""Which requests are kept: those whose policy says so now, and whose client did not want to be left alone."""

from __future__ import annotations

from gateway.accounts import Account
from gateway.dialects import Dialect
from gateway.kept.record import Kept
from gateway.plan import Plan


def keep(account: Account, plan: Plan, dialect: Dialect) -> None:
    """Hand the request to the keeper, where it is to be kept. The client has been answered."""
    kept = _kept(account, plan, dialect)
    if kept is not None and account.services.keeper is not None:
        account.services.keeper.keep(kept)


def _kept(account: Account, plan: Plan, dialect: Dialect) -> Kept | None:
    decision, request, treated = plan.decision, plan.request, plan.treated
    if decision is None or request is None or decision.has_opted_out or not plan.reads_usage:
        return None
    policy = account.services.policies.current.named(decision.policy or "")
    if policy is None or not policy.keep_texts or plan.answer is not None:
        return None
    body = plan.body if treated is None else treated.body
    if not isinstance(body, bytes):
        return None
    incoming, config = account.incoming, account.services.config
    return Kept(
        id=account.id,
        at=account.opened_at,
        path=incoming.path,
        dialect=dialect.name,
        upstream=plan.upstream or config.upstream_for(incoming.path, request.model),
        tenant=incoming.tenant,
        key_id=incoming.principal.key_id,
        team=incoming.principal.team,
        conversation=plan.conversation,
        model=request.model,
        body=body,
        sent=tuple(treated.finished) if treated is not None and treated.is_applied else None,
    )
