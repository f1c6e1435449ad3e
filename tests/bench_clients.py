"""HTTP clients side by side, for the choice of the one that speaks to upstreams (docs/architecture.md).

    python -m tests.bench_clients

measures every client that is installed, in one run on this machine: what it keeps of requests and answers on
the wire, calls a second and processor time a call at 1, 16 and 64 at once, and how much of its pool is lost
when callers are cancelled. Prints tables in Markdown, or one JSON object.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click
import uvloop

from gateway.demo.instant import instant_upstream
from tests.e2e.clients.adapters import Make, adapters
from tests.e2e.clients.cost import N_SLOTS, cost, lost_slots
from tests.e2e.clients.fidelity import PROBES, fidelity

AT_ONCE = (1, 16, 64)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


async def measure(makes: Mapping[str, Make], n_calls: int, n_runs: int, n_cancelled: int) -> dict[str, Any]:
    """All figures, by client."""
    found: dict[str, Any] = {}
    with instant_upstream() as origin:
        for name, make in makes.items():
            gc.collect()
            click.echo(f"… {name}", err=True)
            costs = {n: await cost(make, origin, n, n_calls, n_runs) for n in AT_ONCE}
            found[name] = {
                "fidelity": await fidelity(make),
                "calls_s": {n: round(one.calls_s) for n, one in costs.items()},
                "cpu_us": {n: round(one.cpu_us, 1) for n, one in costs.items()},
                "lost_slots": await lost_slots(make, n_cancelled),
            }
    return found


def report(found: Mapping[str, Any], n_cancelled: int) -> str:
    names = list(found)
    speed = [
        [f"{what} at {n}", *(f"{found[name][key][n]:,}" for name in names)]
        for key, what in (("calls_s", "calls/s"), ("cpu_us", "CPU µs a call"))
        for n in AT_ONCE
    ]
    lost = [
        f"slots lost of {N_SLOTS} after {n_cancelled:,} cancelled GETs",
        *(str(found[name]["lost_slots"]) for name in names),
    ]
    kept = [[question, *(found[name]["fidelity"][question] for name in names)] for question in PROBES]
    return table(["", *names], [*speed, lost]) + "\n\n" + table(["kept on the wire", *names], kept)


@click.command(help=__doc__)
@click.option("--calls", "n_calls", type=int, default=2_000, show_default=True, help="Calls in a run.")
@click.option(
    "--runs", "n_runs", type=int, default=3, show_default=True, help="Runs, of which the best counts."
)
@click.option("--cancelled", "n_cancelled", type=int, default=2_000, show_default=True)
@click.option("--only", default="", help="Clients whose name begins like this.")
@click.option("--json", "as_json", is_flag=True)
def main(n_calls: int, n_runs: int, n_cancelled: int, only: str, as_json: bool) -> None:
    installed, absent = adapters()
    makes = {name: make for name, make in installed.items() if name.startswith(only)}
    before = os.getloadavg()[0]
    found = uvloop.run(measure(makes, n_calls, n_runs, n_cancelled))
    load = f"load average before and after: {before:.2f}, {os.getloadavg()[0]:.2f}"
    if as_json:
        click.echo(json.dumps({"clients": found, "absent": absent, "load": load}))
        return
    click.echo(report(found, n_cancelled))
    click.echo("\n" + load + (f"; not installed: {', '.join(absent)}" if absent else ""))


if __name__ == "__main__":
    main()
