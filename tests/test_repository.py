"""The repository as a whole: what lies where, what the wheel holds, and rules no linter knows."""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.tracked import ROOT, project, text_of, tracked

TOP_LEVEL = {
    *(".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE"),
    *("Makefile", "NOTICE", "README.md", "compressor", "deploy", "docs", "gateway", "policies"),
    *("pyproject.toml", "requirements", "tests"),
}
PACKAGES = ("compressor/", "policies/", "gateway/")

APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of the licence's text as the Apache Software Foundation publishes it."""

MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|Users|work)/\w")
"""A path that exists on somebody's machine only."""

BROAD_EXCEPT = {
    "gateway/chat.py": "the fail-open line: no trouble of ours reaches the client",
    "gateway/beside.py": "the same, for what no answer depends on",
    "gateway/experiments/jobs.py": "work that nobody waits for: counted, and the next one is done",
    "gateway/texts.py": "the same, close to the compressor: texts sent before keep their bytes (law 4)",
    "gateway/downstream/exchange.py": "the outermost edge, in uvicorn's stead: a fault ends its own request",
    "compressor/worker.py": "the device thread: it must outlive any batch, and every waiter is answered",
    "compressor/child.py": "as worker.py, in a process of its own; loading is told by type",
    "compressor/scorers/tokenizer.py": "the tokenizers library raises no narrower one; translated",
    "compressor/scorers/embedded_folder.py": "as tokenizer.py",
    "compressor/scorers/embedded_session.py": "onnxruntime's errors have no root of their own; translated",
    "gateway/upstreams/litellm.py": "litellm raises what it likes: no answer came, whatever it was",
}
"""Where `except Exception` may stand, and why. (One that ends in a bare `raise` swallows nothing and may
stand anywhere.)"""


def python_files(*folders: str) -> list[str]:
    return [path for path in tracked() if path.endswith(".py") and path.startswith(folders)]


def test_the_top_level_is_the_fixed_layout() -> None:
    assert {path.partition("/")[0] for path in tracked()} == TOP_LEVEL


def test_the_license_is_apache_2() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert project()["project"]["license"] == "Apache-2.0"


def test_the_version_is_the_newest_of_the_changelog() -> None:
    released = re.findall(r"^## \[(\d[^\]]*)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert released[0] == project()["project"]["version"]


def test_no_tracked_file_names_a_path_of_a_machine() -> None:
    found = [
        f"{path}: {line.strip()}"
        for path in tracked()
        for line in text_of(path).splitlines()
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_tests_mirror_the_packages() -> None:
    mirrored = [path.split("/")[1] for path in python_files("tests/") if path.count("/") > 1]
    others = {"e2e", "conformance", "money"}  # servers and clients, the SDK's suite, simulated providers
    assert set(mirrored) <= {"compressor", "policies", "gateway", *others}


def broad_excepts(source: str) -> list[int]:
    """Lines of `except:`, `except Exception:` and `except BaseException:` that swallow what they catch."""

    def is_broad(handler: ast.ExceptHandler) -> bool:
        caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return any(
            one is None or (isinstance(one, ast.Name) and one.id in ("Exception", "BaseException"))
            for one in caught
        )

    def reraises(handler: ast.ExceptHandler) -> bool:
        return isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None

    handlers = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler)]
    return [handler.lineno for handler in handlers if is_broad(handler) and not reraises(handler)]


def test_broad_excepts_stand_only_where_a_reason_is_written() -> None:
    found = {
        path
        for path in python_files(*PACKAGES, "tests/")
        if path not in BROAD_EXCEPT and broad_excepts(text_of(path))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("handler", "is_found"),
    [
        ("except: pass", True),
        ("except Exception: pass", True),
        ("except BaseException as error: print(error)", True),
        ("except (ValueError, Exception): pass", True),
        ("except Exception as error: raise ValueError from error", True),
        ("except BaseException:\n    print()\n    raise", False),
        ("except ValueError: pass", False),
        ("except errors.Exception: pass", False),
    ],
)
def test_a_broad_except_is_recognised(handler: str, is_found: bool) -> None:
    assert broad_excepts(f"try: f()\n{handler}") == ([2] if is_found else [])


def sleeps(source: str) -> list[int]:
    """Lines that sleep. `sleep(0)` waits for nothing: it lets other tasks run."""

    def is_sleep(call: ast.Call) -> bool:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        return name == "sleep" and [ast.unparse(argument) for argument in call.args] != ["0"]

    return [
        node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and is_sleep(node)
    ]


POLLING = {
    "tests/compressor/test_isolated.py",
    "tests/conformance/litellm_proxy.py",
    "tests/conformance/sdk_suite.py",
    "tests/e2e/scripted_upstream.py",
    "tests/e2e/test_mirror.py",
    "tests/e2e/whole_cells.py",
    "tests/gateway/experiments/test_jobs.py",
    "tests/gateway/experiments/test_mirror.py",
    "tests/gateway/remote/test_engine.py",
    "tests/redis_server.py",
}
"""May pause between two looks at what nothing announces: that a full socket is full, that a server is up."""


PACED = {
    "tests/compressor/child_scorers.py",
    "tests/conformance/clients/upstream.py",
    "tests/e2e/clients/cost.py",
    "tests/e2e/fault_proxy.py",
    "tests/e2e/soak.py",
    "tests/e2e/soak_traffic.py",
}
"""Programs that put load on something, or harm: their pauses are what they are for."""


AHEAD_OF_TIME = {"tests/gateway/test_admission.py", "tests/gateway/test_chat.py"}
"""On an event loop whose clock jumps to the next thing due: nobody waits."""


def test_no_test_sleeps() -> None:
    found = {path for path in python_files("tests/") if sleeps(text_of(path))}
    assert found == POLLING | PACED | AHEAD_OF_TIME
    assert sleeps("time.sleep(1)\nawait asyncio.sleep(0)\nsleep(0.1)\nawait anyio.sleep(delay)") == [1, 3, 4]


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    inside = [path for path in tracked() if path.startswith(PACKAGES)]
    for path in [*inside, "pyproject.toml", "README.md", "LICENSE", "NOTICE"]:
        (tmp_path / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / "source" / path)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", tmp_path, tmp_path / "source"], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("pith_gateway-*.whl")
    held = [path for path in ZipFile(wheel).namelist() if ".dist-info/" not in path]
    assert sorted(held) == sorted(inside)
