"""Set-up: every make target starts from a clean clone, and the hash-pinned locks agree with each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_layers import LAYERS, read_imports
from tests.tracked import ROOT, project, text_of, tracked


def make(*arguments: str, cwd: Path = ROOT) -> str:
    """What `make` prints, apart from the `make` this test may be running under."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PITH_"))
    }
    ran = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    return ran.stdout if ran.returncode == 0 else f"failed: {ran.stderr}"


TARGETS = {
    "install": "--require-hashes",
    "run": ".venv/bin/pith serve",
    "demo": ".venv/bin/pith demo",
    "test": '-m pytest -m "not gpu"',
    "test-all": "PITH_TEST_PROFILE=thorough",
    "conformance": "-m tests.conformance.sdk_suite",
    "clients": "-m tests.conformance.clients",
    "oracle": "-m tests.oracle",
    "check": "mypy --strict",
    "quality": "pith eval --page docs/quality.md",
    "lock": "requirements/lock.sh",
    "clean": "rm -rf .venv",
    "help": "sed",
}


@pytest.fixture
def clean_clone(tmp_path: Path) -> Path:
    """What make reads, without a .venv."""
    for path in ("Makefile", "pyproject.toml", "requirements"):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        copy(ROOT / path, tmp_path / path)
    return tmp_path


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_starts_from_a_clean_clone(target: str, clean_clone: Path) -> None:
    planned = make("--dry-run", target, cwd=clean_clone)
    assert TARGETS[target] in planned
    needs_venv = target not in ("clean", "help")
    assert ("-m venv .venv" in planned) == needs_venv
    assert ("-r requirements/cpu.txt -r requirements/dev.txt" in planned) == needs_venv


def test_help_lists_every_target() -> None:
    assert set(re.findall(r"^  make (\S+)", make("help"), re.MULTILINE)) == TARGETS.keys()


def test_the_device_picks_the_lock_and_is_remembered(clean_clone: Path) -> None:
    assert "-r requirements/cuda.txt" in make("--dry-run", "install", "PITH_DEVICE=cuda", cwd=clean_clone)
    assert 'PITH_DEVICE is "tpu": must be cpu or cuda' in make("--dry-run", "install", "PITH_DEVICE=tpu")
    (clean_clone / ".venv").mkdir()
    (clean_clone / ".venv/.installed-cuda").touch()
    assert "pip" not in make("--dry-run", "test", cwd=clean_clone)
    assert "uninstall --quiet --yes torch" in make("--dry-run", "install", "PITH_DEVICE=cpu", cwd=clean_clone)


FAKE_PYTHON = """#!/bin/sh
# Writes down what it is asked; `-m venv` makes a .venv of links to itself; a dry run of pip ends as told.
echo "$*" >> asked
case "$*" in
    "-m venv .venv")
        mkdir -p .venv/bin && ln -s ../../python .venv/bin/python && ln -s python .venv/bin/pip ;;
    *--dry-run*) exit {dry_run} ;;
    *--require-hashes*) exit {install} ;;
esac
"""


def install_with(python: str, clone: Path) -> tuple[str, list[str]]:
    """What `make install` prints with that Python, and what it asked of it."""
    (clone / "python").write_text(python)
    (clone / "python").chmod(0o755)
    printed = make("install", "PYTHON=./python", cwd=clone)
    return printed, (clone / "asked").read_text().splitlines()


@pytest.mark.parametrize(("dry_run", "is_named"), [(0, False), (1, True)])
def test_the_cpu_index_is_named_only_where_pip_finds_no_cpu_build(
    dry_run: int, is_named: bool, clean_clone: Path
) -> None:
    _, asked = install_with(FAKE_PYTHON.format(dry_run=dry_run, install=0), clean_clone)
    version = lock("cpu")["torch"][0]
    assert any(line.endswith(f"--dry-run --no-deps torch=={version}+cpu") for line in asked)
    (install,) = [line for line in asked if "--require-hashes" in line]
    assert ("--extra-index-url https://download.pytorch.org/whl/cpu" in install) == is_named
    assert asked[-1].endswith("--no-build-isolation --no-deps --editable .")
    assert make("install", "PYTHON=./python", cwd=clean_clone).startswith("make: Nothing to be done")


def test_a_failed_install_says_what_to_do_and_is_tried_again(clean_clone: Path) -> None:
    printed, asked = install_with(FAKE_PYTHON.format(dry_run=1, install=1), clean_clone)
    assert "make install: found no CPU build of torch? Let pip reach" in printed
    assert not any("--editable" in line for line in asked)
    _, again = install_with(FAKE_PYTHON.format(dry_run=0, install=0), clean_clone)
    assert again[-1].endswith("--editable .")


Lock = dict[str, tuple[str, frozenset[str]]]
"""Package to its pin (version and marker) and hashes."""


def lock(name: str) -> Lock:
    pins: Lock = {}
    joined = text_of(f"requirements/{name}.txt").replace("\\\n", " ")
    for line in (line for line in joined.splitlines() if line and not line.startswith("#")):
        match = re.fullmatch(r"([a-z0-9-]+)==(\S+(?: ; .*?)?)((?: +--hash=sha256:[0-9a-f]{64})+) *", line)
        assert match, f"{name}.txt: no pin with hashes: {line[:80]}"
        assert match[1] not in pins, f"{name}.txt: {match[1]} twice"
        pins[match[1]] = (match[2], frozenset(match[3].split()))
    return pins


CUDA_ONLY = re.compile(r"cuda-|nvidia-|triton$")


def test_the_locks_differ_in_torch_alone() -> None:
    cpu, cuda = lock("cpu"), lock("cuda")
    assert len(cpu) > 50
    companions = {name for name in cuda if CUDA_ONLY.match(name)}
    assert len(companions) > 10
    assert cpu.keys() == cuda.keys() - companions
    assert [name for name in cpu if cpu[name] != cuda[name]] == ["torch"]
    assert cpu["torch"][0] == cuda["torch"][0]


def test_the_cpu_lock_takes_no_cuda_build_of_torch() -> None:
    listed = [
        line.split() for line in text_of("requirements/torch-cpu.sha256").splitlines() if line[0] != "#"
    ]
    wheels = {wheel: f"--hash=sha256:{digest}" for digest, wheel in listed}
    version, hashes = lock("cpu")["torch"]
    assert hashes == set(wheels.values())
    linux = {digest for wheel, digest in wheels.items() if "linux" in wheel}
    assert not linux & lock("cuda")["torch"][1]
    tags = {wheel.split("-")[2] for wheel in wheels if wheel.startswith(f"torch-{version}+cpu-")}
    assert tags == {"cp311", "cp312", "cp313", "cp314"}


def test_the_tools_are_locked_to_what_runs() -> None:
    cpu, dev = lock("cpu"), lock("dev")
    shared = cpu.keys() & dev.keys()
    assert shared
    assert {name: dev[name] for name in shared} == {name: cpu[name] for name in shared}
    otel = lock("otel")
    assert otel
    assert {name: dev[name] for name in otel} == otel
    assert not otel.keys() & cpu.keys()


DISTRIBUTIONS = {
    "re2": "google-re2",
    "ruamel": "ruamel-yaml",
    "huggingface_hub": "huggingface-hub",
    "prometheus_client": "prometheus-client",
}
BROUGHT = {"pydantic_core": "pydantic pins it to the patch level"}
TRAINING = {"wordfreq", "msgpack"}
"""Imported names: distributions of another name, those another one owns, and the `train` extra's."""


def names(requirements: object) -> set[str]:
    assert isinstance(requirements, list)
    return {re.sub(r"[^\w.-].*", "", entry).replace(".", "-") for entry in requirements}


ELSEWHERE = {
    "gateway/throughput/peer_process.py": {"llmlingua"},  # run by an environment of its own, which has it
    "gateway/ledger/parquet.py": {"pyarrow"},  # of the extra `parquet`
    "gateway/tracing/exporting.py": {"opentelemetry"},  # of the extra `otel`
}
"""What a file imports that is no dependency, and why."""


def test_every_dependency_imported_is_declared() -> None:
    """Under the name of the distribution that brings it, not through another one that happens to need it."""
    declared = names(project()["project"]["dependencies"])
    for path in tracked():
        if path.endswith(".py") and path.startswith(("compressor/", "policies/", "gateway/")):
            imported = {found.package for found in read_imports(text_of(path), path, frozenset())}
            theirs = imported - sys.stdlib_module_names - set(LAYERS) - BROUGHT.keys()
            if path.startswith("compressor/train/"):
                theirs -= TRAINING
            theirs -= ELSEWHERE.get(path, set())
            assert {DISTRIBUTIONS.get(name, name) for name in theirs} <= declared, path


def test_the_locks_hold_what_the_project_asks_for() -> None:
    assert names(project()["project"]["dependencies"]) <= lock("cpu").keys()
    assert names(project()["dependency-groups"]["dev"]) <= lock("dev").keys()
    extras = project()["project"]["optional-dependencies"]
    assert isinstance(extras, dict)
    assert names(extras["otel"]) <= lock("otel").keys()
    assert project()["build-system"]["requires"] == [f"setuptools=={lock('cpu')['setuptools'][0]}"]


def test_the_oracle_is_laid_over_what_runs() -> None:
    assert not lock("oracle").keys() & (lock("cpu").keys() | lock("dev").keys())
    assert "tea-tasting" in lock("oracle")


def test_the_locks_leave_where_packages_come_from_to_pip() -> None:
    text = "".join(text_of(path) for path in tracked() if path.startswith("requirements/"))
    assert set(re.findall(r"https?://[\w./-]+", text)) == {"https://download.pytorch.org/whl/cpu"}
    assert "find-links" not in text
