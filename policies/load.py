"""Policy text → `PolicySet`, and the policies that come with the package."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

from policies.match import PolicySet
from policies.parse import Document, parse
from policies.schema import PolicyDocument
from policies.validate import validate


def load_policies(text: str, source: str) -> PolicySet:
    """The policies of a YAML document. Raises `PolicyError` naming every problem with its line."""
    return policies_of(parse(text, source))


def policies_of(document: Document) -> PolicySet:
    """The policies of a document already parsed."""
    return PolicySet(validate(PolicyDocument, document).policies, document.source)


def packaged(name: str = "default") -> Traversable:
    """A policy file that ships with Pith: `default`, or an example such as `examples/rag`."""
    return resources.files("policies").joinpath(f"{name}.yaml")


def default_policies() -> PolicySet:
    """What is in force when nothing is configured."""
    return load_policies(packaged().read_text(encoding="utf-8"), "policies/default.yaml")
