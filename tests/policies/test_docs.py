"""Law 10: whatever can be set or seen is documented, with the default it has, and every example loads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from compressor.params import CompressionParams, Protect
from compressor.types import SkipReason
from gateway.admin.settings import TOKEN_VARIABLE, AdminConfig
from gateway.config import CONFIG_VARIABLE, load, variables
from gateway.hashing import VARIABLE as SECRET_VARIABLE
from gateway.settings import (
    CompressorConfig,
    Config,
    DrainConfig,
    ListenConfig,
    LogConfig,
    TimeoutsConfig,
)
from gateway.upstreams.settings import UpstreamConfig
from policies.decide import DecisionSkip
from policies.lint import lint
from policies.overrides import REQUEST_HEADERS
from policies.params import DEFAULT_ROLES, PolicyParams
from policies.parse import parse
from policies.schema import Policy

ROOT = Path(__file__).parents[2]
POLICIES = (ROOT / "docs/policies.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """The name in the first cell of every table row → the other cells."""
    lines = [line.strip("| ") for line in text.splitlines() if line.startswith("| `")]
    cells = [re.split(r"\s+\|\s+|\s+\|$", line) for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key a document for `model` may have, dotted; lists add nothing, names are `<name>`."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield key
        infix = ".<name>." if get_origin(field.annotation) is dict else "."
        for inner in models_in(field.annotation):
            is_elsewhere = inner is Policy or (inner is PolicyParams and prefix)  # documented once
            if not is_elsewhere:
                yield from keys(inner, key + infix)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def value_of(cell: str) -> object:
    """The value in a cell's first backticks."""
    shown = re.match(r"`(.*?)`", cell)
    assert shown, f"no default in backticks: {cell}"
    data = parse(f"value: {shown[1]}", "docs").data
    assert isinstance(data, dict)
    return data["value"]


def plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


POLICY_ROWS, CONFIG_ROWS = rows(POLICIES), rows(CONFIGURATION)


@pytest.mark.parametrize("key", sorted(set(keys(Policy))))
def test_every_key_of_a_policy_is_documented(key: str) -> None:
    assert key in POLICY_ROWS


@pytest.mark.parametrize("key", sorted(set(keys(Config))))
def test_every_key_of_the_configuration_is_documented(key: str) -> None:
    assert key in CONFIG_ROWS


def test_no_key_is_documented_that_is_not_there() -> None:
    known = {*keys(Policy)}
    top = {key.partition(".")[0] for key in known if "." in key}
    assert {key for key in POLICY_ROWS if key.partition(".")[0] in top} <= known
    dotted = {key for key in CONFIG_ROWS if not key.startswith("PITH_")}
    assert dotted <= {*keys(Config)}


@pytest.mark.parametrize("name", sorted({f.name for f in fields(CompressionParams)}))
def test_every_setting_of_the_compressor_is_mentioned(name: str) -> None:
    assert f"`{name}`" in POLICIES or f"params.{name}`" in POLICIES


def compressor_defaults() -> Iterator[tuple[str, object]]:
    for prefix, values in (("params.", fields(CompressionParams)), ("params.protect.", fields(Protect))):
        for value in values:
            if value.default is not MISSING and value.name not in ("rates", "marks", "tokenizer"):
                yield prefix + value.name, value.default


@pytest.mark.parametrize(("key", "default"), sorted(compressor_defaults()))
def test_defaults_of_params(key: str, default: object) -> None:
    cell = POLICY_ROWS[key][1]
    assert (None if cell == "none" else value_of(cell)) == plain(default)


def test_default_roles_and_policy_defaults() -> None:
    assert value_of(POLICY_ROWS["params.roles"][1]) == list(DEFAULT_ROLES)
    for name in ("mode", "cache_scope", "apply"):
        assert value_of(POLICY_ROWS[name][1]) == Policy.model_fields[name].default


@pytest.mark.parametrize(
    ("prefix", "model"),
    [
        ("", Config),
        ("compressor.", CompressorConfig),
        ("listen.", ListenConfig),
        ("timeouts.", TimeoutsConfig),
        ("drain.", DrainConfig),
        ("admin.", AdminConfig),
        ("log.", LogConfig),
    ],
)
def test_defaults_of_the_configuration(prefix: str, model: type[BaseModel]) -> None:
    plain_fields = {
        name: field.default
        for name, field in model.model_fields.items()
        if isinstance(field.default, str | int | float)
    }
    assert plain_fields
    assert {name: value_of(CONFIG_ROWS[prefix + name][1]) for name in plain_fields} == plain_fields
    assert value_of(CONFIG_ROWS["upstreams.<name>.kind"][1]) == UpstreamConfig.model_fields["kind"].default


@pytest.mark.parametrize("name", [*variables(), CONFIG_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE])
def test_every_variable_is_documented(name: str) -> None:
    cells = CONFIG_ROWS[name]
    if name in variables():
        assert f"`{'.'.join(map(str, variables()[name])).lower()}`" in cells[0]


@pytest.mark.parametrize("name", REQUEST_HEADERS)
def test_every_request_header_is_documented(name: str) -> None:
    assert name in POLICY_ROWS


def test_every_header_of_ours_is_documented() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r"x-pith-[a-z-]*[a-z]", source)}
    assert not {name for name in named if f"`{name}`" not in POLICIES}


@pytest.mark.parametrize("code", sorted({*get_args(SkipReason), *get_args(DecisionSkip)}))
def test_every_skip_code_is_documented(code: str) -> None:
    assert code in POLICY_ROWS


def test_every_finding_of_lint_is_documented() -> None:
    source = (ROOT / "policies/lint.py").read_text(encoding="utf-8")
    codes = {*re.findall(r'yield "(\w+)"', source), *re.findall(r'yield \(\s+"(\w+)"', source), "invalid"}
    assert len(codes) == 14
    assert codes <= {*POLICY_ROWS}


EXAMPLES = [
    (page, text)
    for page, page_text in (("policies", POLICIES), ("configuration", CONFIGURATION))
    for text in re.findall(r"```yaml\n(.*?)```", page_text, re.DOTALL)
]


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_every_example_loads(page: str, text: str, tmp_path: Path) -> None:
    if page == "policies":
        assert lint(text, page) == []
    else:
        path = tmp_path / "pith.yaml"
        path.write_text(text, encoding="utf-8")
        load(path, {"LOCAL_API_KEY": "k"}, {})


def test_there_is_an_example_on_each_page() -> None:
    assert {page for page, _ in EXAMPLES} == {"policies", "configuration"}


@pytest.mark.parametrize(
    "key", [key for key in POLICY_ROWS if key.startswith("params.") and key.count(".") == 1]
)
def test_example_values_of_params_load(key: str) -> None:
    cells = POLICY_ROWS[key]
    if len(cells) < 3 or not cells[2]:
        return
    name = key.removeprefix("params.")
    example = re.match(r"`(.*)`", cells[2])
    assert example
    text = f"policies: [{{name: p, params: {{{name}: {example[1]}}}}}]"
    assert not [finding for finding in lint(text, key) if finding.severity == "error"]
