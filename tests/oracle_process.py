"""tea-tasting's side of the comparison: questions as lines of JSON in, answers as lines of JSON out.

Runs in an environment of its own (`requirements/oracle.txt`) and so imports nothing of ours.
"""

import json
import sys
from typing import Any

import pyarrow as pa
import tea_tasting as tt  # type: ignore[import-not-found]  # of the environment of its own

Z = 1.959963984540054


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Both arms' rows of y, n and x, as this library reads them."""
    rows = [(arm, *row) for arm in (0, 1) for row in question["arms"][arm]]
    names = ("variant", "y", "n", "x")
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})
    options = {"equal_var": False, "use_t": False}
    experiment = tt.Experiment(
        plain=tt.RatioOfMeans("y", "n", **options),
        adjusted=tt.RatioOfMeans("y", "n", "x", **options),
        units=tt.SampleRatio(question["ratio"], method="norm", correction=False),
    )
    result = experiment.analyze(table, control=0)
    found = {name: _estimate(result[name]) for name in ("plain", "adjusted")}
    return {**found, "units_p": result["units"].pvalue}


def _estimate(one: Any) -> dict[str, float]:
    return {
        "control": one.control,
        "arm": one.treatment,
        "difference": one.effect_size,
        "error": (one.effect_size_ci_upper - one.effect_size_ci_lower) / 2 / Z,
        "relative": one.rel_effect_size,
        "relative_low": one.rel_effect_size_ci_lower,
        "relative_high": one.rel_effect_size_ci_upper,
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
