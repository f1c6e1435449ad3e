"""The layers, read from the imports of every module: downwards only, no cycles, each dependency in its place.

The rules are the tables below. `violations` applies them to a tree; seeded trees prove each rule can fail.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = ("gateway", "policies", "compressor")
"""A package imports those after it, never those before it."""

TORCH_PLACES = ("compressor/worker.py", "compressor/scorers/", "compressor/train/")
HTTP_PLACES = (
    "gateway/upstreams/",
    "gateway/distill/teacher.py",
    "gateway/cli/eval_ask.py",
    "gateway/cli/demo.py",
    "gateway/demo/experiment.py",
    "gateway/demo/household.py",
    "gateway/cli/bench.py",
)
PLACES = {
    "torch": TORCH_PLACES,
    "transformers": TORCH_PLACES,
    "httpx": HTTP_PLACES,
    "httpx_aiohttp": HTTP_PLACES,
    "aiohttp": HTTP_PLACES,
    "redis": ("gateway/cache/redis.py",),
    "sqlalchemy": ("gateway/ledger/", "gateway/access/store.py"),
    "alembic": ("gateway/ledger/",),
    "opentelemetry": ("gateway/tracing/exporting.py",),
    "pyarrow": ("gateway/ledger/parquet.py",),
    "jinja2": ("gateway/dashboard/rendering.py",),
    "pygal": ("gateway/dashboard/drawing.py",),
    "limits": ("gateway/access/",),
    "litellm": (
        "gateway/upstreams/litellm.py",
        "gateway/upstreams/messages_shape.py",
        "gateway/upstreams/responses_shape.py",
    ),
    "llmlingua": ("gateway/throughput/peer_process.py",),
    "onnxruntime": ("compressor/scorers/embedded_session.py",),
    "scipy": ("policies/statistics.py",),
}
"""Third-party package to the files and folders that may import it. (To find a package's files, ask
`importlib.util.find_spec`, which does not import it.)"""

DELAYED = {
    "gateway.serving": "what looks after several workers serves nothing itself",
    "torch": "seconds to import; a process that only serves recorded scores needs none",
    "transformers": "as torch",
    "huggingface_hub": "only for models named by their hub name",
    "litellm": "over a second to import; for its providers only",
    "gateway.upstreams.httpx_transport": "it brings httpx, for litellm's calls alone",
    "redis": "only for redis:// caches",
    "gateway.ledger.parquet": "it brings pyarrow, which is an extra",
    "alembic": "only when an older ledger is brought up",
    "gateway.tracing.exporting": "it brings OpenTelemetry, which is an extra",
    "gateway.cache.shared": "it brings redis, and what seals values",
    "gateway.access.shared": "it brings redis",
    "gateway.kept.files": "it brings what seals values; for policies that keep texts",
    "compressor.scorers.classifier": "the scorers' table names it; it brings torch",
    "llmlingua": "the package's process runs in an environment of its own",
    "compressor.scorers.shapes": "as the classifier",
    "gateway.throughput.bench": "as the classifier",
    "gateway.throughput.agreement": "with the bench",
    "compressor.scorers.causal": "as the classifier",
    "compressor.scorers.tokenizer": "it brings tokenizers; for models alone",
    "compressor.scorers.compat_vocabulary": "as tokenizer; for fidelity compat alone",
    "compressor.scorers.embedded": "the scorers' table names it; it brings onnxruntime",
    "compressor.train": "it brings torch",
    "wordfreq": "of the extra `train`; its tables are large",
    "gateway.dashboard.rendering": "it brings jinja2 and pygal; for whoever looks at a page",
    "scipy.special": "27 MB that no request needs; for whoever reads an experiment",
    "compressor.scorers.frequency": "the scorers' table names it; it reads its tables",
}
"""What an import inside a function may name, with all below it, and why it is worth delaying."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, by its absolute dotted name, and where that is written."""

    path: str
    line: int
    target: str
    is_delayed: bool

    @property
    def package(self) -> str:
        return self.target.partition(".")[0]

    def is_below(self, name: str) -> bool:
        return f"{self.target}.".startswith(f"{name}.")

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"


def module_name(path: str) -> str:
    """`a/b.py` and `a/b/__init__.py` are both `a.b`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def named(node: ast.AST, path: str, modules: frozenset[str]) -> list[str]:
    """The modules a statement or a call of `import_module` with a literal imports."""
    match node:
        case ast.Import(names):
            return [alias.name for alias in names]
        case ast.ImportFrom(source, names, level):
            package = module_name(path).split(".")
            if not path.endswith("__init__.py"):
                package = package[:-1]
            above = package[: len(package) - level + 1] if level else []
            base = ".".join([*above, *([source] if source else [])])
            # `from package import submodule` imports the submodule; any other name is the package's own.
            inner = [f"{base}.{alias.name}" for alias in names]
            return sorted({name if name in modules else base for name in inner})
        case ast.Call(
            ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module"),
            [ast.Constant(str(target)), *_],
        ):
            return [target]
    return []


def read_imports(source: str, path: str, modules: frozenset[str]) -> Iterator[Import]:
    def walk(node: ast.AST, is_delayed: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            for target in named(child, path, modules):
                yield Import(path, getattr(child, "lineno", 0), target, is_delayed)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, is_delayed or inside)

    return walk(ast.parse(source, path), False)


def tree_imports(root: Path) -> list[Import]:
    files = sorted(path for layer in LAYERS for path in (root / layer).rglob("*.py"))
    paths = [file.relative_to(root).as_posix() for file in files]
    modules = frozenset(map(module_name, paths))
    return [
        found
        for file, path in zip(files, paths, strict=True)
        for found in read_imports(file.read_text(encoding="utf-8"), path, modules)
    ]


def upwards(imports: Sequence[Import]) -> list[str]:
    return [
        f"upwards: {found}"
        for found in imports
        if found.package in LAYERS
        and LAYERS.index(found.package) < LAYERS.index(found.path.partition("/")[0])
    ]


def out_of_place(imports: Sequence[Import]) -> list[str]:
    return [
        f"out of place: {found}"
        for found in imports
        if found.package in PLACES and not found.path.startswith(PLACES[found.package])
    ]


def delayed(imports: Sequence[Import]) -> list[str]:
    return [
        f"inside a function: {found}"
        for found in imports
        if found.is_delayed and not any(map(found.is_below, DELAYED))
    ]


def cycle(imports: Sequence[Import]) -> list[str]:
    graph: dict[str, set[str]] = {}
    for found in imports:
        if found.package in LAYERS and not found.is_delayed:
            graph.setdefault(module_name(found.path), set()).add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["cycle: " + " <- ".join(error.args[1])]
    return []


def violations(root: Path) -> list[str]:
    imports = tree_imports(root)
    return [*upwards(imports), *out_of_place(imports), *delayed(imports), *cycle(imports)]


def test_the_source_keeps_the_layers() -> None:
    assert violations(ROOT) == []


def test_every_place_of_the_table_is_in_a_layer() -> None:
    assert all(place.partition("/")[0] in LAYERS for places in PLACES.values() for place in places)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"policies/a.py": "import gateway.b"}, "upwards: policies/a.py:1 imports gateway.b"),
        ({"compressor/a.py": "\nfrom policies.b import x"}, "upwards: compressor/a.py:2 imports policies.b"),
        ({"compressor/a.py": "from gateway import b"}, "upwards: compressor/a.py:1 imports gateway"),
        (
            {"compressor/engine.py": "import torch.cuda"},
            "out of place: compressor/engine.py:1 imports torch.cuda",
        ),
        ({"gateway/chat.py": "import httpx"}, "out of place: gateway/chat.py:1 imports httpx"),
        ({"gateway/prices.py": "from litellm import x"}, "out of place: gateway/prices.py:1 imports litellm"),
        (
            {"gateway/cache/memory.py": "import redis"},
            "out of place: gateway/cache/memory.py:1 imports redis",
        ),
        (
            {"gateway/a.py": "from sqlalchemy.sql import x"},
            "out of place: gateway/a.py:1 imports sqlalchemy.sql",
        ),
        (
            {"gateway/a.py": "def f():\n    from importlib import import_module\n"},
            "inside a function: gateway/a.py:2 imports importlib",
        ),
        (
            {"gateway/a.py": "async def f():\n    import torchaudio\n"},
            "inside a function: gateway/a.py:2 imports torchaudio",
        ),
        (
            {"gateway/a.py": "f = lambda: __import__('json')"},
            "inside a function: gateway/a.py:1 imports json",
        ),
        (
            {"compressor/a.py": "from importlib import import_module\nimport_module('torch')"},
            "out of place: compressor/a.py:2 imports torch",
        ),
        (
            {"compressor/a.py": "import importlib\nimportlib.import_module('gateway.b')"},
            "upwards: compressor/a.py:2 imports gateway.b",
        ),
        (
            {"compressor/a.py": "from .b import x", "compressor/b.py": "from compressor.a import y"},
            "cycle: compressor.a <- compressor.b <- compressor.a",
        ),
        (
            {"gateway/__init__.py": "from gateway import a", "gateway/a.py": "from . import x"},
            "cycle: gateway <- gateway.a <- gateway",
        ),
        (
            {
                "gateway/a.py": "from gateway.in_ import b",
                "gateway/in_/b.py": "from ..c import x",
                "gateway/c.py": "import gateway.a",
            },
            "cycle: gateway.a <- gateway.c <- gateway.in_.b <- gateway.a",
        ),
    ],
)
def test_a_seeded_violation_is_found(files: dict[str, str], expected: str, tmp_path: Path) -> None:
    seed(tmp_path, files)
    assert violations(tmp_path) == [expected]


def test_what_the_rules_allow_is_not_found(tmp_path: Path) -> None:
    seed(
        tmp_path,
        {
            "gateway/__init__.py": "",
            "gateway/a.py": "import policies.b\nfrom . import c\nfrom .c import x\nimport json",
            "gateway/c.py": "import os, httptools",
            "gateway/upstreams/http.py": "import httpx, aiohttp",
            "gateway/ledger/store.py": "from sqlalchemy import x",
            "policies/b.py": "from compressor.worker import x",
            "compressor/worker.py": "def f():\n    import torch\n",
            "compressor/scorers/classifier.py": "import transformers\nfrom ..worker import x",
        },
    )
    assert violations(tmp_path) == []


def seed(root: Path, files: dict[str, str]) -> None:
    for path, source in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)


@pytest.mark.parametrize("module", ["compressor", "policies", "gateway", "gateway.cli"])
def test_importing_a_package_loads_nothing_heavy(module: str) -> None:
    heavy = ("torch", "transformers", "litellm", "httpx", "redis", "sqlalchemy", "scipy", "opentelemetry")
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "[]\n"
