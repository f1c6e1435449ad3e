"""Which clients there are, where they run, and what is put into a table of them.

To try another release of one: change its line in requirements/lock.sh and run `make lock`, or its line in
node/package.json and run `npm install --package-lock-only --omit-lockfile-registry-resolved` there; then
docs/clients.md, which a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from tests.conformance.clients.facts import ROOT

Environment: TypeAlias = Literal["pith", "python", "openai-3", "node"]
"""`pith`: its own. The others are made for clients (`environments.py`)."""

FOLDER: Final = Path(__file__).parent
NODE: Final = FOLDER / "node"
LOCKS: Final[dict[Environment, Path]] = {
    "pith": ROOT / "requirements" / "cpu.txt",
    "python": ROOT / "requirements" / "clients.txt",
    "openai-3": ROOT / "requirements" / "clients-openai-3.txt",
    "node": NODE / "package-lock.json",
}


@dataclass(frozen=True, slots=True)
class Program:
    """One program, which puts its clients through all scenarios."""

    name: str
    environment: Environment
    packages: tuple[str, ...]
    """What is tested: the client, and what it brings for an API."""
    clients: tuple[str, ...]

    def versions(self) -> Iterator[str]:
        """Each package as its environment's lock pins it."""
        locked = LOCKS[self.environment]
        for package in self.packages:
            if locked.suffix == ".json":
                version = json.loads(locked.read_text())["packages"][f"node_modules/{package}"]["version"]
            else:
                pin = re.search(rf"^{re.escape(package)}==(\S+)", self._text(), re.MULTILINE)
                assert pin, f"{package} is not in {locked}"
                version = pin[1]
            yield f"{package} {version}"

    def _text(self) -> str:
        texts = [LOCKS[self.environment].read_text()]
        if self.environment == "pith":
            texts.append((ROOT / "requirements" / "dev.txt").read_text())
        return "\n".join(texts)


_OPENAI: Final = ("chat", "chat-async", "responses", "responses-async")

PROGRAMS: Final = (
    Program("openai_python", "pith", ("openai",), tuple(f"openai-2-{api}" for api in _OPENAI)),
    Program("openai_python", "openai-3", ("openai",), tuple(f"openai-3-{api}" for api in _OPENAI)),
    Program("anthropic_python", "python", ("anthropic",), ("anthropic", "anthropic-async")),
    Program(
        "langchain_python",
        "python",
        ("langchain-core", "langchain-openai", "langchain-anthropic"),
        (
            "langchain-openai",
            "langchain-openai-async",
            "langchain-openai-responses",
            "langchain-anthropic",
            "langchain-anthropic-async",
        ),
    ),
    Program(
        "llama_index_python",
        "python",
        ("llama-index-core", "llama-index-llms-openai"),
        ("llama-index", "llama-index-async"),
    ),
    Program(
        "litellm_python",
        "python",
        ("litellm",),
        ("litellm-openai", "litellm-openai-async", "litellm-anthropic", "litellm-anthropic-async"),
    ),
    Program("openai_node", "node", ("openai",), ("openai-node-chat", "openai-node-responses")),
    Program("anthropic_node", "node", ("@anthropic-ai/sdk",), ("anthropic-node",)),
    Program(
        "ai_sdk_node",
        "node",
        ("ai", "@ai-sdk/openai", "@ai-sdk/anthropic"),
        ("ai-sdk-chat", "ai-sdk-responses", "ai-sdk-anthropic"),
    ),
)
