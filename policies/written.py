"""A policy as its file would say it (pure): what is read from that is the same policy."""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from policies.schema import Policy


def written(policy: Policy) -> str:
    """A whole document, without what is the default."""
    said = policy.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    out = StringIO()
    yaml.dump({"policies": [_quoted({"name": policy.name, **said})]}, out)
    return out.getvalue()


def _quoted(value: Any) -> Any:
    """Text in quotes where it might be read as something else, or hides its white space."""
    if isinstance(value, dict):
        return {name: _quoted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_quoted(inner) for inner in value]
    if isinstance(value, str) and not value.replace("-", "").replace("_", "").isalnum():
        return DoubleQuotedScalarString(value)
    return value
