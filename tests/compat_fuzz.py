"""Asks `compat` and the llmlingua package the same, and compares texts, counts, labels and exceptions.

    python -m tests.compat_fuzz --cases 1000        random cases a family; exit code 1 with a difference
    python -m tests.compat_fuzz --record            asks anew what is in tests/compressor/compat/golden.json

The package gets an environment of its own, laid over this one, so torch, transformers and NumPy are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from compressor.scorers.classifier import ClassifierScorer
from compressor.tokens import ranks_folder
from tests.compressor.compat import golden, models, ours
from tests.compressor.compat.cases import Case, case

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv" / "llmlingua"
LOCK = ROOT / "requirements" / "llmlingua.txt"
SERVER = Path(__file__).parent / "compressor" / "compat" / "package_server.py"
RECORDED = 200
"""Cases a family on record."""


def package_python() -> Path:
    """The interpreter of the package's environment, which is made where there is none."""
    python = ENVIRONMENT / "bin" / "python"
    if (ENVIRONMENT / "lock").is_file() and (ENVIRONMENT / "lock").read_bytes() == LOCK.read_bytes():
        return python
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    site = sysconfig.get_path("purelib", vars={"base": str(ENVIRONMENT)})
    Path(site, "below.pth").write_text(sysconfig.get_path("purelib"))
    install = ("-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r")
    subprocess.run([python, *install, LOCK], check=True)
    (ENVIRONMENT / "lock").write_bytes(LOCK.read_bytes())
    return python


class Package:
    """The package's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions, self._answers = process.stdin, process.stdout

    def answer(self, asked: Case) -> dict[str, Any]:
        """What it answers, but for its price."""
        print(json.dumps(ours.as_question(asked)), file=self._questions, flush=True)
        answer: dict[str, Any] = json.loads(self._answers.readline())
        answer.pop("saving", None)
        return answer


@contextmanager
def package(folder: Path) -> Iterator[Package]:
    """The package with the model in `folder`."""
    offline = {"HF_HUB_OFFLINE": "1", "TIKTOKEN_CACHE_DIR": str(ranks_folder()), "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [package_python(), SERVER, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | offline,
    ) as process:
        yield Package(process)
        assert process.stdin is not None
        process.stdin.close()


def differences(theirs: dict[str, Any], mine: dict[str, Any]) -> Iterator[str]:
    """One line for what differs, both sides cut short."""
    for key in sorted(theirs.keys() | mine.keys()):
        if theirs.get(key) != mine.get(key):
            yield f"  {key}\n    package {theirs.get(key)!r:.300}\n    compat  {mine.get(key)!r:.300}"


def fuzz(family: str, folder: Path, cases: int, start: int) -> int:
    """Compare that many cases; how many differ."""
    scorer = ClassifierScorer.load(str(folder), "cpu", "fp32")
    n_different, kinds = 0, Counter[str]()
    with package(folder) as reference:
        for seed in range(start, start + cases):
            asked = case(family, seed)
            theirs, mine = reference.answer(asked), ours.answer(scorer, asked)
            kinds[theirs.get("error", "answered")] += 1
            if theirs != mine:
                n_different += 1
                print(f"{family} {seed} {asked.genres} {asked.options}", *differences(theirs, mine), sep="\n")
    print(f"{family}: {cases - n_different} of {cases} equal ({dict(kinds.most_common())})")
    return n_different


def record(family: str, folder: Path) -> list[golden.Record]:
    """The package's answers to the first cases that no other rounding could turn."""
    scorer = ClassifierScorer.load(str(folder), "cpu", "fp32")
    records: list[golden.Record] = []
    seed = 0
    with package(folder) as reference:
        while len(records) < RECORDED:
            asked = case(family, seed)
            if golden.is_firm(scorer, asked):
                records.append(golden.record(seed, asked, reference.answer(asked)))
            seed += 1
    return records


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000, help="random cases a family")
    parser.add_argument("--start", type=int, default=0, help="the first case's seed")
    parser.add_argument("--record", action="store_true", help="record instead of comparing")
    options = parser.parse_args()
    torch.set_num_threads(1)  # as the package's process
    with tempfile.TemporaryDirectory() as where:
        folders = {family: models.build(family, Path(where)) for family in models.FAMILIES}
        if options.record:
            golden.write({family: record(family, folder) for family, folder in folders.items()})
            return
        different = [fuzz(*item, options.cases, options.start) for item in folders.items()]
    sys.exit(1 if any(different) else 0)


if __name__ == "__main__":
    main()
