"""`pith policy lint | explain`: is a policy file right, and what would it do to a request."""

from __future__ import annotations

import click
import orjson

from policies.decide import Decision, decide
from policies.errors import PolicyError, Problem
from policies.lint import Finding, lint
from policies.load import load_policies
from policies.match import RequestFacts
from policies.overrides import Overrides
from policies.parse import decode

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def policy() -> None:
    """Check policy files and explain what they do."""


@policy.command("lint")
@_FILE
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@_JSON
@click.pass_context
def lint_command(ctx: click.Context, file: str, strict: bool, as_json: bool) -> None:
    """Check FILE (- for standard input). Exit code 1 when it holds errors."""
    findings = _lint(*_read(file))
    if as_json:
        click.echo(
            orjson.dumps([_plain_finding(finding) for finding in findings], option=orjson.OPT_INDENT_2)
        )
    else:
        for finding in findings:
            click.echo(str(finding))
        errors = sum(finding.severity == "error" for finding in findings)
        click.echo(
            f"{_source(file)}: {_n(errors, 'error')}, {_n(len(findings) - errors, 'warning')}", err=True
        )
    if any(strict or finding.severity == "error" for finding in findings):
        ctx.exit(1)


def _n(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _headers(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given]
    if wrong := [name for name, sign, _ in pairs if not sign or not name]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", ctx, param)
    return {name.lower(): value for name, _, value in pairs}


@policy.command("explain")
@_FILE
@click.option("--path", default="/v1/chat/completions", show_default=True, help="Request path.")
@click.option("--model", help="Model that the request names.")
@click.option("--key", "key_id", help="Key id of the caller.")
@click.option("--team", help="Team of the caller.")
@click.option(
    "--header", "headers", multiple=True, callback=_headers, metavar="NAME=VALUE", help="Repeatable."
)
@click.option("--unit", help="Conversation or user that sticks to a variant.")
@_JSON
def explain_command(
    file: str, unit: str | None, as_json: bool, headers: dict[str, str], **facts: str
) -> None:
    """Say what the policies in FILE decide for a request, and why."""
    policy_set = load_policies(decode(*_read(file)), _source(file))
    request = RequestFacts(**facts, headers=headers, user=unit)
    decision = decide(policy_set, request, Overrides.from_headers(headers), unit, "on")
    if as_json:
        click.echo(orjson.dumps(_plain_decision(decision), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(_described(decision)))


def _source(file: str) -> str:
    return "<stdin>" if file == "-" else file


def _read(file: str) -> tuple[bytes, str]:
    """A file's bytes, and its name in messages."""
    with click.open_file(file, "rb") as opened:
        return opened.read(), _source(file)


def _lint(raw: bytes, source: str) -> list[Finding]:
    try:
        return lint(decode(raw, source), source)
    except PolicyError as error:  # not text at all
        return [Finding("error", "invalid", problem) for problem in error.problems]


def _plain_finding(finding: Finding) -> dict[str, object]:
    problem: Problem = finding.problem
    return {
        "severity": finding.severity,
        "code": finding.code,
        "source": problem.place.source,
        "line": problem.place.line,
        "path": problem.path,
        "message": problem.message,
    }


def _plain_decision(decision: Decision) -> dict[str, object]:
    return {
        "policy": decision.policy,
        "version": decision.version,
        "variant": decision.variant,
        "mode": decision.mode,
        "skip": decision.skip,
        "cache_scope": decision.cache_scope,
        "apply": decision.apply,
        "params": decision.params.model_dump(mode="json", by_alias=True, exclude_none=True),
        "why": list(decision.why),
    }


def _described(decision: Decision) -> list[str]:
    lines = [*decision.why, ""]
    for name, value in _plain_decision(decision).items():
        if name not in ("params", "why"):
            lines.append(f"{name:12} {'-' if value is None else value}")
    params = decision.params.model_dump(mode="json", by_alias=True, exclude_none=True)
    return [
        *lines,
        "params",
        *(f"  {name:20} {orjson.dumps(value).decode()}" for name, value in params.items()),
    ]
