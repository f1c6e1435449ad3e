"""Reads the configuration: flags over environment (`PITH_*`) over file over defaults, all problems at once.

Every scalar setting has a variable named after its path: `compressor.deadline_ms` is
`PITH_COMPRESSOR__DEADLINE_MS`, `upstreams.openai.url` is `PITH_UPSTREAMS__OPENAI__URL`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Final, cast, get_args, get_origin

from pydantic import BaseModel

from gateway.admin.settings import TOKEN_VARIABLE
from gateway.errors import ConfigError
from gateway.hashing import VARIABLE as SECRET_VARIABLE
from gateway.settings import DEFAULT_UPSTREAM, DEFAULT_URL, Config
from gateway.upstreams.settings import UpstreamConfig
from policies.errors import Place, PolicyError, Problem, unreadable
from policies.load import default_policies
from policies.match import PolicySet
from policies.parse import Document, KeyPath, decode, dotted, parse, scalar
from policies.validate import suggestion, validate
from policies.watch import FixedPolicies, PolicyFile, PolicySource

PREFIX: Final = "PITH_"
CONFIG_VARIABLE: Final = "PITH_CONFIG"
NAME_SLOT: Final = "<NAME>"
"""Stands for an upstream's name in the name of a variable."""

# Kubernetes sets these in every pod for a service that is called pith; they are not meant for us.
_FROM_KUBERNETES = re.compile(
    r"PITH_(.*_)?(SERVICE_(HOST|PORT).*|PORT_\d+_(TCP|UDP).*|PORT=(tcp|udp)://.*)", re.DOTALL
)


def load(path: Path | None, env: Mapping[str, str], flags: Mapping[str, object]) -> Config:
    """The configuration in force. `path` is the file, else `PITH_CONFIG` names it, else there is none.

    `flags` maps dotted paths (`listen.port`) to values; None means not given. Raises `ConfigError`.
    """
    named = path or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    try:
        document = Document({}, "configuration", {}) if named is None else _read(named)
        document = _with_flags(_with_environment(document, env), flags)
        config = validate(Config, document, {"env": env})
        if problems := [*_route_problems(config, document), *_key_problems(config, document)]:
            raise PolicyError(problems)
    except PolicyError as error:
        raise ConfigError(str(error)) from error
    return config


def open_policies(config: Config) -> PolicySource:
    """The policies that the configuration names. Raises `ConfigError` when they are missing or wrong."""
    if config.policies is None:
        return FixedPolicies(default_policies())
    check = partial(check_judges, upstreams=config.upstreams)
    try:
        if isinstance(config.policies, tuple):
            fixed = PolicySet(config.policies, "configuration")
            check(fixed)
            return FixedPolicies(fixed)
        return PolicyFile(config.policies, check)
    except PolicyError as error:
        raise ConfigError(str(error)) from error


def check_judges(policies: PolicySet, upstreams: Mapping[str, UpstreamConfig]) -> None:
    """Every judge that a policy names can be asked. Raises `PolicyError`."""
    problems = []
    for policy in policies.policies:
        mirror = policy.experiment.mirror if policy.experiment is not None else None
        judge = mirror.judge if mirror is not None else None
        if judge is not None and (what := _judge_problem(judge.upstream, upstreams)) is not None:
            path = f"policy {policy.name!r}: experiment.mirror.judge.upstream"
            problems.append(Problem(Place(policies.source), f"value {judge.upstream!r}: {what}", path))
    if problems:
        raise PolicyError(problems)


def _judge_problem(name: str, upstreams: Mapping[str, UpstreamConfig]) -> str | None:
    if name not in upstreams:
        return f"the configuration has no such upstream{suggestion(name, upstreams)}"
    if upstreams[name].key is None:
        return (
            "is an upstream with key: pass, and a judge has no caller whose key could be passed: "
            "give it one of its own by env:NAME (or none, if it asks for no key)"
        )
    return None


def variables() -> dict[str, KeyPath]:
    """Every variable that sets something, and the path of what it sets."""
    return {_variable(path): path for path in _scalars(Config, ())}


def _read(path: Path) -> Document:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    document = parse(decode(raw, str(path)), str(path))
    data = document.data
    if isinstance(data, dict) and isinstance(data.get("policies"), str):
        # Relative to the file that says it; variables and flags are relative to the working directory.
        place = document.place(("policies",))
        document = _put(document, ("policies",), str(path.parent / data["policies"]), place)
    return document


def _with_environment(document: Document, env: Mapping[str, str]) -> Document:
    known, problems = variables(), []
    ours = {name: env[name] for name in sorted(env) if name.startswith(PREFIX)}
    not_settings = {CONFIG_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE, *_named_in([document.data, ours])}
    for name in ours:
        if (path := _path_of(name)) is not None:
            document = _put(document, path, scalar(env[name]), Place(name))
        elif name not in not_settings and (hint := _slip(name, env[name], known)):
            problems.append(Problem(Place(name), f"no such setting; {hint}"))
    if problems:
        raise PolicyError(problems)
    return document


def _named_in(data: object) -> Iterator[str]:
    """The variables referred to as `env:NAME`: they hold credentials, whatever their names."""
    if isinstance(data, str) and data.startswith("env:"):
        yield data.removeprefix("env:")
    elif isinstance(data, dict | list):
        for inner in data.values() if isinstance(data, dict) else data:
            yield from _named_in(inner)


def _with_flags(document: Document, flags: Mapping[str, object]) -> Document:
    for path, value in flags.items():
        if value is not None:
            document = _put(document, tuple(path.split(".")), value, Place("command line"))
    return document


def _put(document: Document, path: KeyPath, value: object, place: Place) -> Document:
    """The document with `value` at `path`. Below something that is no mapping there is no place to put it."""
    data = deepcopy(document.data) if document.data is not None else {}
    if path[0] == "upstreams" and isinstance(data, dict):
        data.setdefault("upstreams", {DEFAULT_UPSTREAM: {"url": DEFAULT_URL}})
    target = data
    for part in path[:-1]:
        if not isinstance(target, dict):
            return document  # validation tells what is wrong there
        target = target.setdefault(part, {})
    if not isinstance(target, dict):
        return document
    target[path[-1]] = value
    return Document(data, document.source, {**document.places, path: place})


def _scalars(model: type[BaseModel], path: KeyPath) -> Iterator[KeyPath]:
    for name, field in model.model_fields.items():
        here, annotation = (*path, name), cast(Any, field.annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _scalars(annotation, here)
        elif get_origin(annotation) is dict:
            inner = get_args(annotation)[1]
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _scalars(inner, (*here, NAME_SLOT))
        elif get_origin(annotation) is not tuple:
            yield here


def _variable(path: KeyPath) -> str:
    return PREFIX + "__".join(str(part).upper() for part in path)


def _path_of(variable: str) -> KeyPath | None:
    """What a variable sets, or None. Names of upstreams are in lower case."""
    parts = tuple(variable.removeprefix(PREFIX).lower().split("__"))
    for path in variables().values():
        if len(path) == len(parts) and all(
            want in (got, NAME_SLOT) and got for want, got in zip(path, parts, strict=True)
        ):
            return parts
    return None


def _slip(variable: str, value: str, known: Iterable[str]) -> str | None:
    """What to say of a variable that sets nothing, if it looks as if it was meant to."""
    if _FROM_KUBERNETES.fullmatch(f"{variable}={value}"):
        return None
    # The common prefix would make every name look close to every other.
    bare = [name.removeprefix(PREFIX) for name in known]
    close = difflib.get_close_matches(variable.removeprefix(PREFIX).upper(), bare, n=1, cutoff=0.7)
    if close:
        return f"did you mean {PREFIX}{close[0]}?"
    return "docs/configuration.md lists all variables" if "__" in variable else None


def _key_problems(config: Config, document: Document) -> Iterator[Problem]:
    """A virtual key is never sent on, so where every request brings one, no upstream can be passed a key."""
    for name, upstream in config.upstreams.items() if config.requires_keys else ():
        if upstream.key is None:
            path = ("upstreams", name, "key")
            message = (
                "is pass, but every request brings a virtual key, which is never sent on: use env:NAME "
                "(or none, if the upstream asks for no key), or set require_keys: false"
            )
            yield Problem(document.place(path), message, dotted(path))


def _route_problems(config: Config, document: Document) -> Iterator[Problem]:
    def problem(path: KeyPath, message: str) -> Problem:
        return Problem(document.place(path), message, dotted(path))

    for index, route in enumerate(config.routes):
        if route.upstream not in config.upstreams:
            hint = suggestion(route.upstream, config.upstreams)
            yield problem(("routes", index, "upstream"), f"value {route.upstream!r}: no such upstream{hint}")
    if config.routes and not config.routes[-1].is_open:
        message = "has conditions, so some requests would have no upstream; end with {upstream: NAME}"
        yield problem(("routes", len(config.routes) - 1), message)
    if not config.routes and config.default_upstream is None:
        message = "there are several and no routes; add routes to say which serves what"
        yield problem(("upstreams",), message if config.upstreams else "there are none; name one")
