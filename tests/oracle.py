"""Asks tea-tasting and `policies/statistics.py` the same, and compares every number.

    python -m tests.oracle --cases 300      random experiments; exit code 1 with a difference
    python -m tests.oracle --record         asks anew what is in tests/policies/oracle.jsonl

The library gets an environment of its own, laid over this one, so NumPy and scipy are the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from policies.statistics import (
    Floats,
    adjusted_difference,
    adjusted_log_ratio,
    difference,
    ratio,
    sample_ratio_p,
    summarise,
)

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv" / "oracle"
LOCK = ROOT / "requirements" / "oracle.txt"
PROCESS = Path(__file__).with_name("oracle_process.py")
RECORD = Path(__file__).parent / "policies" / "oracle.jsonl"
RECORDED = 40
Z = 1.959963984540054

Answer = dict[str, Any]


def library_python() -> Path:
    """The interpreter of the library's environment, which is made where there is none."""
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


def case(seed: int) -> tuple[Floats, Floats]:
    """Two arms of units (y, n, x), of some size, kind and lift."""
    rng = np.random.default_rng(seed)
    lift = rng.choice([0.0, -0.3, 0.1])
    kind = rng.choice(["cost", "errors", "means"])

    def arm(scale: float) -> Floats:
        size = int(rng.integers(100, 600))
        n = np.ones(size) if kind == "means" else 1.0 + rng.poisson(2, size)
        x = rng.lognormal(7, 1, size)
        if kind == "errors":
            y = rng.binomial(n.astype(int), 0.2 * scale).astype(float)
        else:
            y = scale * n * (x + rng.lognormal(6, 1, size))
        return np.round(np.column_stack([y, n, x]), 3)

    return arm(1.0), arm(1.0 + lift)


def theirs(cases: Sequence[tuple[Floats, Floats]]) -> list[Answer]:
    """What the library answers."""
    questions = [json.dumps({"arms": [arm.tolist() for arm in arms], "ratio": 1}) for arms in cases]
    ran = subprocess.run(
        [library_python(), "-W", "ignore", PROCESS],
        input="\n".join(questions),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def ours(arms: tuple[Floats, Floats]) -> Answer:
    """The same by our functions."""
    control, arm = map(summarise, arms)
    plain, adjusted = difference(control, arm), adjusted_difference(control, arm)
    relative = adjusted_log_ratio(control, arm)
    return {
        "plain": {
            "control": float(ratio(control).value),
            "arm": float(ratio(arm).value),
            "difference": float(plain.value),
            "error": float(plain.error),
        },
        "adjusted": {
            "difference": float(adjusted.value),
            "error": float(adjusted.error),
            "relative": float(np.expm1(relative.value)),
            "relative_low": float(np.expm1(relative.value - Z * relative.error)),
            "relative_high": float(np.expm1(relative.value + Z * relative.error)),
        },
        "units_p": sample_ratio_p([len(one) for one in arms], [0.5, 0.5]),
    }


TOLERANCE = 0.2
"""Of a standard error, for estimates that are adjusted; a tenth of it for that error itself."""


def differences(theirs: Answer, mine: Answer) -> Iterator[str]:
    """One line for what differs.

    What is not adjusted is equal. What is, nearly: the library takes theta over both arms as one, ours is
    pooled within the arms, which a lift does not disturb.
    """
    for name, value in mine["plain"].items():
        if not np.isclose(value, theirs["plain"][name], rtol=1e-9):
            yield f"plain {name}: theirs {theirs['plain'][name]!r}, ours {value!r}"
    if not np.isclose(mine["units_p"], theirs["units_p"], rtol=1e-9, atol=1e-15):
        yield f"units_p: theirs {theirs['units_p']!r}, ours {mine['units_p']!r}"
    error = theirs["adjusted"]["error"]
    for name, value in mine["adjusted"].items():
        unit = error if name in ("difference", "error") else error / abs(theirs["adjusted"]["control"])
        if abs(value - theirs["adjusted"][name]) > TOLERANCE * unit * (0.1 if name == "error" else 1):
            yield f"adjusted {name}: theirs {theirs['adjusted'][name]!r}, ours {value!r}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}")
    asked = parser.parse_args()
    seeds = range(RECORDED if asked.record else asked.cases)
    answers = theirs([case(seed) for seed in seeds])
    if asked.record:
        RECORD.write_text("\n".join(map(json.dumps, answers)) + "\n")
    n_different = 0
    for seed, answer in zip(seeds, answers, strict=True):
        found = list(differences(answer, ours(case(seed))))
        n_different += bool(found)
        print(*(f"case {seed}: {line}" for line in found), sep="\n", end="\n" if found else "")
    print(f"{len(seeds) - n_different} of {len(seeds)} equal")
    sys.exit(n_different > 0)


if __name__ == "__main__":
    main()
