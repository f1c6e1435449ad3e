"""Law 10: every header, code, command, option, endpoint and log field is documented, and no other.

What there is comes from the code; tests/policies/test_docs.py does the same for settings and policies, and
tests/gateway/ledger for the ledger's columns.
"""

from __future__ import annotations

import ast
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from starlette.routing import Route

from compressor.types import SkipReason
from gateway import api
from gateway.admin import routes as admin_routes
from gateway.cache.guard import COMMAND_S, FAILURES, OPEN_S, SLOTS
from gateway.cli import main
from gateway.dialects import SkipReason as DialectSkip
from gateway.downstream.silence import Limits
from gateway.ledger.store import LedgerSettings
from gateway.logs import JsonLines
from gateway.metrics import TABLE
from gateway.plan import Plan
from gateway.services import POLL_S
from gateway.settings import DrainConfig
from gateway.texts import NO_BENEFIT
from gateway.types import Entry
from gateway.upstreams.exchange import Timeouts
from policies.decide import Decision, DecisionSkip
from policies.overrides import REQUEST_HEADERS
from tests.documents import blocks, read
from tests.tracked import ROOT, tracked

API, OPERATIONS, TRANSPARENCY = (read(f"docs/{name}.md") for name in ("api", "operations", "transparency"))
ADMIN, METRICS = read("docs/admin.md"), read("docs/metrics.md")
RESERVED = {"frozen"}
"""Documented as not given in this version."""


def section(page: str, heading: str) -> str:
    """The page from a heading to the next of its level or above."""
    level = len(heading.split()[0])
    start = page.index(f"\n{heading}\n") + 1
    end = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE).search(page, start + len(heading))
    return page[start : end.start()] if end else page[start:]


def named(text: str) -> set[str]:
    """Whatever stands in backticks in the first cell of a table's row."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def in_code(*paths: str) -> Iterator[ast.AST]:
    for path in paths:
        yield from ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))


def strings(node: ast.AST | None) -> set[str]:
    """The string constants of an expression; of a conditional one, those it may be."""
    if isinstance(node, ast.IfExp):
        return strings(node.body) | strings(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def response_headers() -> set[str]:
    decision = Decision(policy="p", variant="v", assigned="on")
    plan = Plan(
        b"",
        skip="short",
        decision=decision,
        origin_tokens=2,
        compressed_tokens=1,
        cache="hit",
        response_cache="miss",
        tokenizer="t",
    )
    return {name.decode() for name, _ in plan.headers("pith-1", b"read;dur=1")}


def skip_codes() -> set[str]:
    """Those the types name, and those written where a plan is made."""
    said = {
        code
        for node in in_code("gateway/chat.py", "gateway/treatment.py", "gateway/texts.py")
        if isinstance(node, ast.keyword) and node.arg == "skip"
        for code in strings(node.value)
    }
    return said.union({NO_BENEFIT}, *map(get_args, (SkipReason, DialectSkip, DecisionSkip)))


def error_codes() -> set[str]:
    """Codes of answers that are our own: a keyword or variable `code`, or the second argument of `_error`."""
    sources = [str(path.relative_to(ROOT)) for path in (ROOT / "gateway").rglob("*.py")]
    found: set[str] = set()
    for node in in_code(*sources):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_error":
            found |= strings(node.args[1])
        elif (isinstance(node, ast.keyword) and node.arg == "code") or (
            isinstance(node, ast.Assign) and any(ast.unparse(target) == "code" for target in node.targets)
        ):
            found |= strings(node.value)
    return found


def stages() -> set[str]:
    """What a request's stopwatch is told to time."""
    return {
        name
        for node in in_code("gateway/chat.py", "gateway/accounts.py", "gateway/admission.py")
        if isinstance(node, ast.Call) and re.search(r"watch\.(stage|add)$", ast.unparse(node.func))
        for name in strings(node.args[0])
    }


def endpoints(routes: list[Route]) -> set[str]:
    return {f"{method} {route.path}" for route in routes for method in (route.methods or set()) - {"HEAD"}}


def metrics() -> set[str]:
    """Name, kind and labels of all that is counted."""
    return {" ".join((metric.name, metric.kind, *metric.labels)) for metric in TABLE.values()}


def documented_metrics() -> set[str]:
    rows = [line.split("|")[1:4] for line in METRICS.splitlines() if line.startswith("| `pith_")]
    return {
        " ".join((name.strip(" `"), kind.strip(), *re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
    }


def log_fields() -> set[str]:
    """The keys of the lines that a request and a fault write."""
    record = logging.LogRecord("gateway.requests", logging.INFO, __file__, 1, "request", None, None)
    record.entry = Entry("pith-1", 0.0, "/", 200)
    fault = logging.LogRecord("gateway", logging.ERROR, __file__, 1, "fault", None, _caught())
    return {name for line in (record, fault) for name in json.loads(JsonLines(1).format(line))}


def _caught() -> Any:
    try:
        raise ValueError("never shown")
    except ValueError:
        return sys.exc_info()


def degraded_names() -> set[str]:
    """What `/pith/readyz` may list: the names in `Services.troubles`."""
    [function] = [
        node
        for node in in_code("gateway/services.py")
        if isinstance(node, ast.FunctionDef) and node.name == "troubles"
    ]
    return {
        f"{name}: …"
        for node in ast.walk(function)
        if isinstance(node, ast.Tuple) and node.elts
        for name in strings(node.elts[0])
    }


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its whole name."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


COMMANDS = dict(commands(main, "pith"))


def command_names() -> set[str]:
    """As the table writes them: with their arguments."""
    return {
        " ".join(
            [
                name,
                *(str(param.name).upper() for param in command.params if isinstance(param, click.Argument)),
            ]
        )
        for name, command in COMMANDS.items()
    }


def options() -> set[str]:
    own = {option for param in main.params for option in param.opts}
    return (
        {"--help", "-h"} | own | {option for command in COMMANDS.values() for option in options_of(command)}
    )


def options_of(command: click.Command) -> set[str]:
    return {option for param in command.params if isinstance(param, click.Option) for option in param.opts}


THE_COMMAND = section(API, "## The command")
COMMAND_TABLE, OPTION_TABLE = THE_COMMAND.split("| option |")
KINDS = {
    "request headers": (set(REQUEST_HEADERS), named(section(API, "## Request headers"))),
    "response headers": (response_headers(), named(section(API, "## Response headers"))),
    "skip codes": (skip_codes(), named(section(API, "## Skip codes")) - RESERVED),
    "error codes": (error_codes(), named(section(API, "## Errors"))),
    "endpoints": (
        endpoints(api.routes()),
        set(re.findall(r"^### `(.+)`$", section(API, "## Endpoints"), re.MULTILINE)),
    ),
    "commands": (command_names(), named(COMMAND_TABLE)),
    "options": (options(), named(OPTION_TABLE)),
    "log fields": (log_fields(), named(section(OPERATIONS, "## Logs"))),
    "admin endpoints": (
        endpoints(admin_routes.routes()),
        {name for name in named(section(ADMIN, "## What there is")) if " /" in name},
    ),
    "metrics": (metrics(), documented_metrics()),
    "degraded": (degraded_names(), named(section(OPERATIONS, "## Health"))),
}
"""What there is by the code, and what the pages say there is."""


def undocumented(there_is: set[str], documented: set[str]) -> set[str]:
    return there_is - documented


def stale(there_is: set[str], documented: set[str]) -> set[str]:
    return documented - there_is


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_documented_and_nothing_else(kind: str) -> None:
    there_is, documented = KINDS[kind]
    assert there_is, "nothing was found in the code: the check looks at the wrong place"
    assert undocumented(there_is, documented) == set()
    assert stale(there_is, documented) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_that_is_missing_on_either_side_is_noticed(kind: str) -> None:
    there_is, documented = KINDS[kind]
    for name in there_is:
        assert undocumented(there_is, documented - {name}) == {name}
        assert stale(there_is - {name}, documented) == {name}


def test_the_collectors_find_what_is_seeded() -> None:
    assert named("| `x-pith-seeded`, `b` | `not this` |\n|---|---|") == {"x-pith-seeded", "b"}
    assert section("# a\n## b\none\n### c\ntwo\n## d\nthree", "## b") == "## b\none\n### c\ntwo\n"
    tree = ast.parse("'a' if x else 'b'", mode="eval").body
    assert strings(tree) == {"a", "b"}
    assert strings(ast.parse("f('a')", mode="eval").body) == set()
    assert {"upstream_timeout", "upstream_unavailable", "not_found"} <= error_codes()
    assert {"off", "too_large", "deadline"} <= skip_codes()


def test_the_stages_are_documented() -> None:
    text = section(API, "## Response headers")
    assert stages() >= {"read", "splice", "total"}
    assert {stage for stage in stages() if f"`{stage}`" not in text} == set()


def option_rows() -> list[tuple[set[str], set[str]]]:
    """Options, and the commands they are said to belong to."""
    rows = [line.split("|")[1:3] for line in OPTION_TABLE.splitlines() if line.startswith("| `")]
    return [(set(re.findall(r"`([^`]+)`", names)), set(re.findall(r"`([^`]+)`", of))) for names, of in rows]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_said_of_the_commands_that_have_it(name: str) -> None:
    path = name.removeprefix("pith ")
    said = {
        option
        for names, of in option_rows()
        for option in names
        if any(path == command or path.startswith(f"{command} ") for command in of)
    }
    have = options_of(COMMANDS[name]) - {"--help", "-h"}
    assert have <= said
    group = path.split()[0]
    siblings = [command for other, command in COMMANDS.items() if other.split()[1] == group]
    assert said <= {option for command in siblings for option in options_of(command)}


@pytest.mark.parametrize(
    "limit",
    [
        f"{Timeouts().connect_s:g} s, then 504",
        f"{Timeouts().first_byte_s:g} s, then 504",
        f"{Timeouts().idle_s:g} s; an answer is then broken off",
        f"{Limits().header_read_s:g} s, then 408",
        f"{Limits().body_read_s:g} s, then 408",
        f"{Limits().write_stall_s:g} s; both connections",
        f"| {Limits().idle_s:g} s: longer",
        f"`drain.announce_s` ({DrainConfig().announce_s:g} s)",
        f"`drain.limit_s` ({DrainConfig().limit_s:g} s)",
        f"within {POLL_S:g} s",
        f"A command is waited for {COMMAND_S * 1e3:g} ms (`cache_timeout_ms`)",
        f"After {FAILURES} failures in a row Redis is left alone and asked once in {OPEN_S:g} s",
        f"At most {SLOTS} connections a process",
        f"rows of the last {LedgerSettings().flush_s:g} s",
        f"up to {LedgerSettings().queue_rows:,}",
    ],
)
def test_the_limits_of_time_and_number_are_those_in_force(limit: str) -> None:
    assert limit in " ".join(OPERATIONS.split()), "wherever its lines end"


def defined_tests(path: Path) -> set[str]:
    """Test ids of a file, without parameters."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {
            f"{prefix}{one.name}" for one in inner if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    return found


PROMISES = section(read("README.md"), "## Promises")
RULES = [
    line
    for page in (TRANSPARENCY, PROMISES)
    for line in page.splitlines()
    if line.startswith("| ") and "tested by" not in line
]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_names_a_test_that_exists(rule: str) -> None:
    [(file, name)] = re.findall(r"`([\w/]+\.py)::([\w:]+)` \|$", rule)
    assert name in defined_tests(ROOT / "tests" / file)


def test_the_ten_laws_are_numbered_as_in_the_code() -> None:
    laws = section(read("docs/architecture.md"), "## The ten laws")
    assert re.findall(r"^(\d+)\. ", laws, re.MULTILINE) == [str(n) for n in range(1, 11)]


def test_the_paths_of_the_map_exist() -> None:
    layers = section(read("docs/architecture.md"), "## Layers")
    cells = [line.split("|")[1] for line in layers.splitlines() if line.startswith("| `")]
    for cell in cells:
        folder = ROOT
        for path in re.findall(r"`([^`]+)`", cell):
            if "/" in path.rstrip("/"):
                folder = ROOT / path.split("/")[0]
            assert (ROOT / path).exists() or (folder / path).exists(), path


def test_there_are_examples_to_run() -> None:
    assert len(blocks(API, "http")) >= 5
    assert len(blocks(API, "python")) >= 2


def test_the_map_of_the_code_names_every_module_of_the_gateway() -> None:
    page = read("docs/architecture.md")
    rows = [row for row in section(page, "## Layers").splitlines() if row.startswith("| `gateway/")]
    known = {name.removeprefix("gateway/") for row in rows for name in re.findall(r"`([\w/.]+)`", row)}
    modules = {path.removeprefix("gateway/") for path in tracked() if re.match(r"gateway/\w+[./].*py$", path)}
    places = {f"{module.split('/')[0]}/" if "/" in module else module for module in modules}
    assert places - {"__init__.py", "__main__.py"} == known
